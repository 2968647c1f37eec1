package schedulerplugin

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	testName = regexp.MustCompile("`(Test[^`]+)`")
)

// Each row of docs/constraints.md names tests that exist: a test's function, and after a slash the sentence of one of its rows.
func TestEachRowOfTheConstraintsTableHasItsTests(t *testing.T) {
	known := testsUnder(t, "..")
	page, err := os.ReadFile("../docs/constraints.md")
	require.NoError(t, err)
	rows := 0
	for _, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| constraint ") {
			continue
		}
		rows++
		names := testName.FindAllStringSubmatch(line, -1)
		assert.NotEmpty(t, names, "no test in row %q", line)
		for _, name := range names {
			function, sentence, hasSentence := strings.Cut(name[1], "/")
			if source, ok := known[function]; assert.True(t, ok, "no test is called %s", function) && hasSentence {
				assert.Contains(t, source, `"`+sentence+`"`, "%s has no such row", function)
			}
		}
	}
	assert.Greater(t, rows, 20, "the table was not found")
}

// testsUnder are the names of all tests, each with the text of its file.
func testsUnder(t *testing.T, root string) map[string]string {
	t.Helper()
	known := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, found := range testFunc.FindAllStringSubmatch(string(data), -1) {
			known[found[1]] = string(data)
		}
		return err
	})
	require.NoError(t, err)
	return known
}
