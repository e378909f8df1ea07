"""States that are written beside the steps: each is what was after its step; all are copied into the same memory."""

import torch
from safetensors.torch import load_file

from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import state
from ohwx_compare.train.run.identity import identity_of
from ohwx_compare.train.run.loop import take
from ohwx_compare.train.run.state import StateWriter


def test_states_are_copied_into_the_same_memory(small, tmp_path, monkeypatch):
    plan = make_plan(Recipe.from_dict({**small, "epochs": None, "steps": 3, "state_count": 3}))
    setup = set_up(plan, "cpu")
    room, found, wanted = [None, 0, 0], [], {}  # only the first one finds room for a copy
    monkeypatch.setattr(state, "free_memory", lambda device: room.pop(0) if room else 0)
    with StateWriter(tmp_path, setup, identity_of(plan, "0" * 64)) as writer:
        for number, epoch, step in plan.walk():
            take(setup, number, epoch, step)
            wanted[number] = {name: weight.detach().clone() for name, weight in setup.stepper.weights.items()}
            writer.write(number)
            found.append({name: copy.data_ptr() for name, copy in writer._copies.items()})
    assert found[0] == found[1] == found[2] != {}
    for number, weights in wanted.items():
        written = load_file(tmp_path / f"step-{number:08d}.state")
        assert all(torch.equal(written[f"weight/{name}"], weight) for name, weight in weights.items())
    assert not torch.equal(*(torch.cat([w.flatten() for w in wanted[number].values()]) for number in (1, 3)))
