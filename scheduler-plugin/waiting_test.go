package schedulerplugin

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
)

// sleepers are pods that wait, in a bubble whose time the test lets pass.
type sleepers struct {
	*waiting
	woken  []string // since the last time they were looked at
	lifted []string // targets whose refusals were ended
}

func newSleepers() *sleepers {
	s := &sleepers{}
	s.waiting = newWaiting(clock.RealClock{}, func(target string) { s.lifted = append(s.lifted, target) },
		func(pods map[string]*corev1.Pod) { s.woken = append(s.woken, slices.Sorted(maps.Keys(pods))...) })
	return s
}

// sleep adds pods of a shape, which a target refused for want of room. Their names tell their order.
func (s *sleepers) sleep(of shape, by refusers, names ...string) {
	for i, name := range names {
		s.add(sleeper(name, i), of, by, s.now())
	}
}

func sleeper(name string, second int) *corev1.Pod {
	return electedPod(func(p *corev1.Pod) {
		p.Name, p.UID = name, types.UID(name)
		p.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(second) * time.Second))
	})
}

// after lets time go on and returns who was woken meanwhile.
func (s *sleepers) after(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	woken := s.woken
	s.woken = nil
	return woken
}

func TestWhoIsWoken(t *testing.T) {
	full, rule := refusers{"cloud": true, "heata": false}, refusers{"cloud": false}
	tests := map[string]struct {
		by   refusers
		do   func(s *sleepers)
		want []string
	}{
		"growth wakes the oldest pod of a shape, which tries for all": {full, func(s *sleepers) { s.tell("cloud", grew) }, []string{"shop/a"}},
		"much growth wakes no more":                                   {full, func(s *sleepers) { s.tell("cloud", grew); s.tell("cloud", grew); s.tell("cloud", freed) }, []string{"shop/a"}},
		"room that was reserved and given back":                       {full, func(s *sleepers) { s.tell("cloud", freed) }, []string{"shop/a"}},
		"growth elsewhere wakes nobody":                               {full, func(s *sleepers) { s.tell("heata", grew); s.tell("moon", grew) }, nil},
		"growth does not change a rule":                               {rule, func(s *sleepers) { s.tell("cloud", grew) }, nil},
		"a change of the Target may":                                  {rule, func(s *sleepers) { s.tell("cloud", changed) }, []string{"shop/a"}},
		"a change of another Target does not":                         {rule, func(s *sleepers) { s.tell("heata", changed) }, nil},
		"a pod that comes to run there is company for few":            {full, func(s *sleepers) { s.tell("cloud", joined) }, nil},
		"what any target may end, any wakes":                          {refusers{anyTarget: false}, func(s *sleepers) { s.tell("moon", grew) }, []string{"shop/a"}},
		"one that finds a place wakes two more":                       {full, func(s *sleepers) { s.placed("a", web) }, []string{"shop/b", "shop/c"}},
		"one of another shape wakes none":                             {full, func(s *sleepers) { s.placed("x", jobs) }, nil},
		"a pod that is gone is not woken":                             {full, func(s *sleepers) { s.remove("a"); s.tell("cloud", grew) }, []string{"shop/b"}},
		"a shape whose refusal is over":                               {full, func(s *sleepers) { s.callShape(web) }, []string{"shop/a"}},
		"a pod that something concerns alone":                         {full, func(s *sleepers) { s.callPod("c") }, []string{"shop/c"}},
		"a pod that nobody knows":                                     {full, func(s *sleepers) { s.callPod("x") }, nil},
		"its namespace's labels change":                               {full, func(s *sleepers) { s.callNamespace("shop") }, []string{"shop/a"}},
		"another namespace's":                                         {full, func(s *sleepers) { s.callNamespace("other") }, nil},
		"an event of the source cluster, for each pod of them":        {full, func(s *sleepers) { s.callLineOf("a"); s.callLineOf("b"); s.callLineOf("c") }, []string{"shop/a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSleepers()
				s.sleep(web, test.by, "a", "b", "c", "d")
				test.do(s)
				assert.Equal(t, test.want, s.after(time.Second))
			})
		})
	}
}

func TestGrowthEndsRefusalsOnceForABurstOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		for range 100 {
			s.tell("cloud", grew)
		}
		s.tell("heata", freed)
		s.tell("moon", changed)
		s.after(time.Second)
		assert.Equal(t, []string{"cloud"}, s.lifted, "also when nobody waits: the next pod must not be refused by what was")
	})
}

func TestAPodIsWokenSoonAfterAnHourOfQuietAndNotTooOftenInABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.sleep(web, refusers{"cloud": true}, "a", "b")
		time.Sleep(time.Hour)
		s.tell("cloud", grew)
		assert.Equal(t, []string{"shop/a"}, s.after(wakeGather))
		s.tell("cloud", grew)
		assert.Empty(t, s.after(wakeGap-20*time.Millisecond))
		assert.Equal(t, []string{"shop/b"}, s.after(20*time.Millisecond))
	})
}

func TestAPodThatWasRefusedByWhatIsNoLongerSoIsWoken(t *testing.T) {
	tests := map[string]struct {
		by   refusers
		what news
		want []string
	}{
		"the target grew meanwhile":              {refusers{"cloud": true}, grew, []string{"shop/a"}},
		"it grew, but refused by a rule":         {refusers{"cloud": false}, grew, nil},
		"the Target changed meanwhile":           {refusers{"cloud": false}, changed, []string{"shop/a"}},
		"another one grew meanwhile":             {refusers{"heata": true}, grew, nil},
		"something did, and any would have done": {refusers{anyTarget: false}, grew, []string{"shop/a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSleepers()
				seen := s.now()
				s.tell("cloud", test.what) // while the pod's cycle runs
				s.after(time.Second)
				s.add(sleeper("a", 0), web, test.by, seen)
				assert.Equal(t, test.want, s.after(time.Second))
			})
		})
	}
}

func TestAPodThatWasWokenAndIsRefusedAgainIsTheFirstNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.sleep(web, refusers{"cloud": true}, "a", "b")
		for range 3 {
			s.tell("cloud", grew)
			require.Equal(t, []string{"shop/a"}, s.after(time.Second))
			s.sleep(web, refusers{"cloud": true}, "a")
			assert.Empty(t, s.after(time.Minute), "it waits for the next growth")
		}
	})
}

func TestAPodThatIsDeletedWhileItIsAwakeLeavesItsTurnToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.sleep(web, refusers{"cloud": true}, "a", "b")
		s.tell("cloud", grew)
		require.Equal(t, []string{"shop/a"}, s.after(time.Second))
		s.remove("a")
		assert.Equal(t, []string{"shop/b"}, s.after(time.Second))
	})
}

func TestOneShapeThatFitsIsAllPlacedInAChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprintf("p%03d", i))
		}
		s.sleep(web, refusers{"cloud": true}, names...)
		s.tell("cloud", grew)
		placed := 0
		for range 60 {
			for _, name := range s.after(wakeGap) {
				placed++
				s.placed(types.UID(name[len("shop/"):]), web)
			}
		}
		assert.Equal(t, 200, placed)
		assert.Empty(t, s.byPod)
		assert.Empty(t, s.lines, "a shape without pods is forgotten")
		assert.Empty(t, s.awake)
	})
}

func TestManyShapesAreWokenInBatchesByPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		const shapes = wakeBatch + 10
		for i := range shapes {
			pod := sleeper(fmt.Sprintf("p%03d", i), i)
			if i == shapes-1 {
				pod.Spec.Priority = ptr.To[int32](1000)
			}
			s.add(pod, shape{byte(i)}, refusers{"cloud": true}, s.now())
		}
		s.tell("cloud", grew)
		first := s.after(time.Second)
		require.Len(t, first, wakeBatch, "no more are awake until these were tried")
		assert.Contains(t, first, fmt.Sprintf("shop/p%03d", shapes-1))
		for _, name := range first[:4] {
			s.remove(types.UID(name[len("shop/"):]))
		}
		assert.Len(t, s.after(time.Second), 4)
		assert.Len(t, s.after(wakeLost+time.Second), 6, "a pod that never comes back blocks nobody for long")
	})
}

func TestAPodThatIsTiedToATargetWaitsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.sleep(web, refusers{"cloud": true}, "a", "b")
		s.add(sleeper("a", 0), shapeAlone("a"), refusers{"heata": true}, s.now())
		s.tell("cloud", grew)
		assert.Equal(t, []string{"shop/b"}, s.after(time.Second))
		s.tell("heata", grew)
		assert.Equal(t, []string{"shop/a"}, s.after(time.Second))
	})
}

func TestAPodThatWantsCompanyIsWokenWhenAnotherComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		pod := sleeper("a", 0)
		pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{}}
		s.add(pod, web, refusers{"cloud": true}, s.now())
		s.tell("cloud", joined)
		assert.Equal(t, []string{"shop/a"}, s.after(time.Second))
	})
}

func TestAPodThatWasRefusedWhileItsNamespaceCameIsTriedAgain(t *testing.T) {
	for namespace, want := range map[string][]string{"shop": {"shop/a"}, "other": nil} {
		synctest.Test(t, func(t *testing.T) {
			s := newSleepers()
			seen := s.now()
			s.callNamespace(namespace)
			s.add(sleeper("a", 0), web, refusers{"cloud": false}, seen)
			assert.Equal(t, want, s.after(time.Second), namespace)
		})
	}
}
