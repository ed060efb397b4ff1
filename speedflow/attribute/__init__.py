"""Which training clips taught the generator a motion?"""
