package fleet

import (
	"context"
	"io"
	"path/filepath"
)

const (
	suiteTest   = "e2e.test"
	suiteRunner = "ginkgo"
	bySuite     = "suite" // what only BuildSuite needs
)

// Suite are Kubernetes' own end-to-end tests, of the version that fleets run.
type Suite struct {
	// Test is the file of the tests, and Runner that of the program that runs them side by side.
	Test, Runner string
}

// BuildSuite compiles the suite, or finds the one that an earlier call has compiled. out receives a line per step.
func BuildSuite(ctx context.Context, out io.Writer) (Suite, error) {
	dir, err := binDir()
	if err != nil {
		return Suite{}, err
	}
	var needed []binary
	for _, b := range binaries {
		if b.neededBy == bySuite {
			needed = append(needed, b)
		}
	}
	s := Suite{Test: filepath.Join(dir, suiteTest), Runner: filepath.Join(dir, suiteRunner)}
	return s, buildBinaries(ctx, dir, needed, newSteps(out))
}
