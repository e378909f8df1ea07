"""A training in a process of its own, to be killed: `killed_training.py RECIPE.json`."""

import sys
from pathlib import Path

import torch

from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import read_recipe
from ohwx_compare.train.run.loop import train

torch.set_num_threads(1)
train(make_plan(read_recipe(Path(sys.argv[1]))), lambda event: None)
