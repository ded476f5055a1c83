"""The public three-branch kernel's way of working, as a baseline: the same results, its speed.

One branch after another over a list of files, each in the way that kernel went: OFA without a
cache, BLIP and phrases one image at a time, a timm network through a loader of two workers in two
passes, and pandas for the file. Only its defects are left out: flips are not random, branches are
joined by the files' order, which is sorted, and pictures are made RGB.
"""
