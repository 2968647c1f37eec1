package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Sequential, as all scenarios of groups that need the targets' room for themselves.
func TestAGroupGoesWhereAllOfItFitsThoughEachPodWouldFitACheaperPlace(t *testing.T) {
	s := givenNamespace(t, source, burst)
	filler := s.givenFiller(heata, "4")
	toHeata := s.noteDelegates(heata)
	time.Sleep(time.Second) // until the source's watch has shown the filler, too

	s.createGroup("train", 4, requesting("6", ""))

	assert.Equal(t, onlyOnTarget(cloud.name, 4), s.groupPlaces("train", 4))
	assert.Empty(t, toHeata.list(), "no pod of the group was tried where the others do not fit")
	record := s.record("train-0")
	assert.Equal(t, "train", record.Group)
	reasons := map[string]string{}
	for _, place := range record.Places {
		reasons[place.Name] = place.Reason
	}
	assert.Equal(t, map[string]string{
		"cloud": "",
		"heata": "3 of 4 pods of the group fit: 4 Insufficient cpu",
		"local": "2 of 4 pods of the group fit: 2 Insufficient cpu",
	}, reasons)

	// A pod that is replaced follows the others, wherever it would go alone.
	removeFiller(s, heata, filler.Name)
	gone := s.getPod("train-1")
	s.deletePod("train-1", nil)
	s.expectGone(gone)
	s.createElected("train-1", requesting("6", ""), inGroup("train", 4))
	s.expectRunningOn("train-1", cloud.name)
	s.createElected("train-extra", requesting("1", ""), inGroup("train", 4))
	s.expectRunningOn("train-extra", cloud.name)
}

func TestAGroupThatFitsNowhereWholeSendsNoPodAnywhere(t *testing.T) {
	s := givenNamespace(t, source, burst)
	toHeata, toCloud := s.noteDelegates(heata), s.noteDelegates(cloud)

	for i := range 4 {
		s.createElected(fmt.Sprintf("train-%d", i), requesting("6", ""), inGroup("train", 5))
	}
	s.expectUnschedulable("train-0", "group train has", "of 5 pods")
	s.createElected("train-4", requesting("6", ""), inGroup("train", 5))

	for i := range 5 {
		s.expectUnschedulable(fmt.Sprintf("train-%d", i), "0/3 places fit",
			"cloud, heata: 4 of 5 pods of the group fit: 4 Insufficient cpu", "local: 2 of 5 pods of the group fit: 2 Insufficient cpu")
	}
	assert.Empty(t, append(toHeata.list(), toCloud.list()...))

	// As a group of four they fit.
	for i := range 5 {
		name := fmt.Sprintf("train-%d", i)
		gone := s.getPod(name)
		s.deletePod(name, nil)
		s.expectGone(gone)
	}
	s.createGroup("train", 4, requesting("6", ""))
	assert.Equal(t, onlyOnTarget(heata.name, 4), s.groupPlaces("train", 4))
}

func TestAGroupThatFitsTheLocalNodesStaysThere(t *testing.T) {
	s := givenNamespace(t, source, burst)

	s.createGroup("train", 4, requesting("3", ""))

	places := s.groupPlaces("train", 4)
	assert.Len(t, places, 2)
	assert.NotContains(t, places, "spillway-heata")
	assert.NotContains(t, places, "spillway-cloud")

	// Two nodes of 8 have 2 left each: another group finds no room there, and leaves none half taken.
	s.createGroup("more", 3, requesting("2", ""))
	assert.Equal(t, onlyOnTarget(heata.name, 3), s.groupPlaces("more", 3))
}
