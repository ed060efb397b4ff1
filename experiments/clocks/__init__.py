"""Do clocks in the scene tell the speed?"""
