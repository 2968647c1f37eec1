package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/report"
)

// buildCLI compiles the CLI once.
var buildCLI = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "spillway")
	return file, exec.Command("go", "build", "-o", file, "../cmd/spillway").Run()
})

// explain runs `spillway explain` in the space, as an administrator of the source.
func (s *space) explain(stdin string, args ...string) report.Explanation {
	s.t.Helper()
	output, err := s.spillway(stdin, append([]string{"explain", "-n", s.name, "-o", "json"}, args...)...)
	require.NoError(s.t, err, output)
	var e report.Explanation
	require.NoError(s.t, json.Unmarshal([]byte(output), &e), output)
	return e
}

// spillway runs the CLI and returns what it prints, with what it prints on stderr when it fails.
func (s *space) spillway(stdin string, args ...string) (string, error) {
	s.t.Helper()
	cli, err := buildCLI()
	require.NoError(s.t, err)
	cmd := exec.CommandContext(s.t.Context(), cli, append(args, "--kubeconfig", clusters.Kubeconfig(s.cluster.name))...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stderr.String(), err
	}
	return stdout.String(), nil
}

// placeIn finds a place in an answer.
func placeIn(e report.Explanation, name string) placement.RecordPlace {
	if e.Record != nil {
		for _, place := range e.Record.Places {
			if place.Name == name {
				return place
			}
		}
	}
	return placement.RecordPlace{}
}
