# The controller's image: a static binary and nothing else. Build with: docker build -t ghcr.io/spillway-dev/spillway-controller .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /spillway-controller ./cmd/spillway-controller

FROM gcr.io/distroless/static:nonroot
COPY --from=build /spillway-controller /spillway-controller
USER 65532:65532
ENTRYPOINT ["/spillway-controller"]
