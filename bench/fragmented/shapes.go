package fragmented

import "math/rand/v2"

// weighted is a shape, and how many of a hundred are so.
type weighted struct {
	percent int
	Need
}

// fillers are what ran before: from small to half a small node, of little and of much memory.
var fillers = []weighted{
	{20, Need{500, 1 << 10, 0}},
	{20, Need{1_000, 4 << 10, 0}},
	{20, Need{2_000, 4 << 10, 0}},
	{15, Need{2_000, 16 << 10, 0}},
	{15, Need{4_000, 16 << 10, 0}},
	{6, Need{4_000, 8 << 10, 0}},
	{4, Need{4_000, 16 << 10, 1}},
}

// shapes are those of the pods to place: from small to nearly a whole node.
var shapes = []weighted{
	{22, Need{250, 512, 0}},
	{18, Need{500, 2 << 10, 0}},
	{18, Need{1_000, 4 << 10, 0}},
	{10, Need{2_000, 4 << 10, 0}},
	{8, Need{2_000, 16 << 10, 0}},
	{10, Need{4_000, 16 << 10, 0}},
	{6, Need{7_000, 28 << 10, 0}},
	{2, Need{14_000, 50 << 10, 0}},
	{1, Need{28_000, 100 << 10, 0}},
	{4, Need{4_000, 16 << 10, 1}},
	{1, Need{8_000, 32 << 10, 2}},
}

// fastPercent of the pods without GPUs select fast nodes.
const fastPercent = 20

func newPod(random *rand.Rand, name string) Pod {
	p := Pod{Name: name, Need: one(random, shapes)}
	p.Fast = p.GPUs == 0 && p.MilliCPU < 16_000 && random.IntN(100) < fastPercent
	return p
}

func one(random *rand.Rand, of []weighted) Need {
	n := random.IntN(100)
	for _, shape := range of {
		if n -= shape.percent; n < 0 {
			return shape.Need
		}
	}
	return of[len(of)-1].Need
}
