"""Settings whose values are names: all that each may have. Light: a webui's start needs it."""

__all__ = [
    "CASCADE", "EMPHASIS_MODES", "GENERATORS", "MASKED_CONTENTS", "MATCHES", "MEDIAPIPE", "MERGES", "RESIZE_MODES",
    "SORTS", "TOP_K_BY", "UNIPC_SKIP_TYPES", "UNIPC_VARIANTS",
]  # fmt: skip

TOP_K_BY = ("Area", "Confidence")
MERGES = ("None", "Merge", "Merge and Invert")
MATCHES = ("Off", "Strict", "Free")
SORTS = ("None", "Left to right", "Center to edge", "Large to small")
EMPHASIS_MODES = ("Original", "No norm", "Ignore", "None")
UNIPC_VARIANTS = ("bh1", "bh2", "vary_coeff")
UNIPC_SKIP_TYPES = ("time_uniform", "time_quadratic", "logSNR")
RESIZE_MODES = ("stretch", "crop", "fill", "latent")  # in the order of the webui's numbers
MASKED_CONTENTS = ("fill", "original", "latent noise", "latent nothing")  # the same
GENERATORS = ("CPU", "GPU", "NV")  # of noise
CASCADE = "opencv-frontalface"
"""The name of the one detector that needs no file: OpenCV's cascade. It is chosen, never fallen to."""
MEDIAPIPE = (
    "mediapipe_face_full", "mediapipe_face_short", "mediapipe_face_mesh", "mediapipe_face_mesh_eyes_only",
)  # fmt: skip
"""ADetailer's names for the detectors of the package mediapipe, which brings their files."""
