"""The main job on real input: a plan is sold, usage is streamed, checks are answered, and an exact invoice is made."""
