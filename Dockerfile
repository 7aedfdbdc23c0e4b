# For the CPU:
#     docker build -t chainer-vae .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" chainer-vae explore
# Has the compiler for the kernels.
FROM python:3.13 AS wheels
COPY . /source
RUN pip install --no-cache-dir "setuptools>=70.1,<81" wheel \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist chainer==7.8.1 /source

FROM python:3.13-slim
RUN --mount=from=wheels,source=/dist,target=/dist \
    pip install --no-cache-dir --find-links /dist chainer-vae
# Any user may write there: Matplotlib keeps a cache of fonts.
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["chainer-vae"]
