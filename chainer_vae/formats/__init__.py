"""The formats of data sets, each read into :class:`~chainer_vae.formats.sets.Sets`.

::

    contents.py      what a file is, by its first bytes
    sets.py          what every format is read into; the test images of a set that names none
    idx.py           IDX files, MNIST's format
    idx_folder.py    which IDX files are a data set: MNIST's names, torchvision's folders, EMNIST
    arrays.py        arrays, in an npz file or from Python
    image_folder.py  folders of PNG and JPEG files; resizing
"""
