package fragmented

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASeedAlwaysMakesTheSameWorld(t *testing.T) {
	assert.Empty(t, cmp.Diff(New(7, 50), New(7, 50)))
	assert.NotEmpty(t, cmp.Diff(New(7, 50), New(8, 50)))
}

func TestAWorldIsAsFullAsItSays(t *testing.T) {
	w, empty := New(1, 500), nodes()
	require.Len(t, w.Nodes, Targets*40)
	require.Len(t, w.Pods, 500)
	has, free := total(empty), total(w.Nodes)
	assert.InDelta(t, 1-filled, float64(free.MilliCPU)/float64(has.MilliCPU), 0.005)
	taken := Need{}
	for _, f := range w.Fillers {
		taken = taken.plus(f.Need)
	}
	assert.Equal(t, has.minus(free), taken)
	for _, n := range w.Nodes {
		assert.True(t, n.Free.MilliCPU >= 0 && n.Free.MiB >= 0 && n.Free.GPUs >= 0 && n.Slots > 0, n.Name)
	}
	placed := w.FirstFit().Placed
	assert.Less(t, placed, 500, "a world in which everything fits would tell no way of placing from another")
	assert.Greater(t, placed, 450)
}

func TestEveryShapeAddsUpToAHundredPercent(t *testing.T) {
	for name, of := range map[string][]weighted{"fillers": fillers, "shapes": shapes} {
		sum := 0
		for _, shape := range of {
			sum += shape.percent
		}
		assert.Equal(t, 100, sum, name)
	}
}

func total(nodes []Node) Need {
	var sum Need
	for _, n := range nodes {
		sum = sum.plus(n.Free)
	}
	return sum
}
