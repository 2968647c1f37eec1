package groups

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"
)

// objects answer as the test says, and count how often they were asked.
type objects struct {
	mu    sync.Mutex
	n     int
	err   error
	asked int
}

func (o *objects) Size(context.Context, Key) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	return o.n, o.err
}

func (o *objects) set(n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n, o.err = n, err
}

func (o *objects) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

func newSizes(n int, err error) (*Sizes, *objects, *clocktesting.FakeClock, chan Key) {
	o, clock, woken := &objects{n: n, err: err}, clocktesting.NewFakeClock(time.Unix(1000, 0)), make(chan Key, 10)
	return NewSizes(o, clock, func(k Key) { woken <- k }), o, clock, woken
}

func TestASizeIsReadOnceAndWakesItsGroup(t *testing.T) {
	s, o, clock, woken := newSizes(4, nil)
	_, err := s.Get(Key{Name: "train"})
	require.EqualError(t, err, "the size of group train is not known yet")
	assert.Equal(t, "train", (<-woken).Name)
	n, err := s.Get(Key{Name: "train"})
	require.NoError(t, err)
	assert.Equal(t, 4, n)
	clock.Step(time.Hour)
	_, _ = s.Get(Key{Name: "train"})
	assert.Equal(t, 1, o.times())
}

func TestASizeThatKeepsAGroupWaitingIsReadAgainUntilItIsTrusted(t *testing.T) {
	s, o, clock, woken := newSizes(4, nil)
	key := Key{Name: "train"}
	_, _ = s.Get(key)
	<-woken
	s.Doubt(key)
	clock.Step(rereadMin)
	require.Eventually(t, func() bool { return o.times() == 2 && clock.HasWaiters() }, time.Second, time.Millisecond)
	assert.Empty(t, woken, "it is as it was")

	o.set(2, nil)
	clock.Step(2 * rereadMin)
	<-woken
	n, err := s.Get(key)
	require.NoError(t, err)
	assert.Equal(t, 2, n)

	s.Trust(key)
	clock.Step(time.Hour)
	clock.Step(time.Hour)
	assert.Equal(t, 3, o.times())
}

func TestASizeThatCannotBeReadSaysSoAndIsReadAgainUntilItsGroupIsGone(t *testing.T) {
	s, o, clock, woken := newSizes(0, errors.New("PodGroup train does not exist"))
	key := Key{Name: "train"}
	_, _ = s.Get(key)
	<-woken
	_, err := s.Get(key)
	require.EqualError(t, err, "the size of group train cannot be read: PodGroup train does not exist")

	o.set(4, nil)
	clock.Step(rereadMin)
	<-woken
	n, err := s.Get(key)
	require.NoError(t, err)
	assert.Equal(t, 4, n)

	s.Doubt(key)
	s.Forget(key)
	clock.Step(time.Hour)
	assert.Equal(t, 2, o.times())
}
