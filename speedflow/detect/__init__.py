"""Where was a video's speed changed, and how? By picture and by sound."""
