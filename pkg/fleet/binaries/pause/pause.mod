module github.com/spillway-dev/spillway/fleet/pause

go 1.26.0
