"""Models and latent vectors for other programs.

::

    latents.py      latent vectors as .npz or .csv
    parameters.py   a model's parameters and settings as .npz
    onnx_graphs.py  encoder and decoder for onnxruntime and others
    pytorch.py      the state dict of a PyTorch module, written and read
    libraries.py    libraries that only these need
"""
