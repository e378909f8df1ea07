"""The tabs "ohwx compare" and "ohwx train": routes, queue, lists."""
