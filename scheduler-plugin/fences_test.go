package schedulerplugin

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAFenceHoldsUntilItIsDropped(t *testing.T) {
	f := newFences()
	f.set("pod", "spillway-cloud")
	assert.Equal(t, "spillway-cloud", f.get("pod"))
	assert.Empty(t, f.get("other"))
	f.drop("pod")
	assert.Empty(t, f.get("pod"))
}
