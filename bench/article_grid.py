"""The infotext of a small X/Y/Z plot: three tiny checkpoints over two seeds, with ADetailer."""

INFOTEXT = """\
picture of (ohwx man:1.1) with shirt in anime style, anime movie, anime screenshot
Negative prompt: shirtless, topless, nsfw
Steps: 12, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 9.0, Seed: 10, Size: 256x256, \
Model: tiny_base, RNG: CPU, ADetailer model: drawn_face.safetensors, ADetailer confidence: 0.3, \
ADetailer method to decide top k masks: Area, ADetailer mask only top k: 1, ADetailer dilate erode: 4, \
ADetailer mask blur: 4, ADetailer denoising strength: 0.5, ADetailer inpaint only masked: True, \
ADetailer inpaint padding: 32, ADetailer use separate steps: True, ADetailer steps: 20, ADetailer version: 25.3.0, \
Script: X/Y/Z plot, X Type: Checkpoint name, X Values: "tiny_base.safetensors,tiny_reg.safetensors,\
tiny_noreg.safetensors", Y Type: Seed, Y Values: "10,11", Fixed Y Values: "10, 11", Version: 1.10.1
"""
