"""Networks that put images and texts into one space, as CLIP does.

``two_sided_tower`` declares what each of them offers; ``tower_source`` finds and loads one.
"""
