# The web page and every command, on a CPU, for a user who is not root:
#
#   docker build --tag featureblend .
#   docker run --rm --publish 127.0.0.1:7860:7860 featureblend web --host 0.0.0.0 --no-auth
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/photos" featureblend batch pairs.csv --out blends
#
# `--no-auth` is safe here because only this machine's own port is published.
FROM python:3.12-slim

WORKDIR /build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
RUN python -m pip install --no-cache-dir --constraint constraints.txt '.[web]' && rm -r /build

# Whatever user runs it: a home that can be written to.
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
WORKDIR /photos
EXPOSE 7860
ENTRYPOINT ["featureblend"]
CMD ["--help"]
