package placement

import "cmp"

// stick makes the place where the pod's owner last put a pod, its home, lead its tier, so that the next replica does not
// hop for a small difference. A switch needs a mean that is better by more than the tolerance: what a user calls equal for
// one factor is equal for all of them together. A home of which less is known than of the best does not lead: unknown is
// never best. Tiers are never crossed, and what does not fit or is refused is not among the places.
//
// Standings are parallel to places. It returns the indices of the homes that would not lead by their mean alone.
func stick(places []Place, standings []standing, tolerance float64) (decided []int) {
	best := map[int]standing{} // by tier
	for _, s := range standings {
		if leader, ok := best[s.tier]; !ok || s.compare(leader) < 0 {
			best[s.tier] = s
		}
	}
	for tier, home := range homes(places, standings, func(s standing) bool { return nearly(s, best[s.tier], tolerance) }) {
		s := &standings[home]
		for _, other := range standings {
			if other.tier == tier && other.index != home && other.compare(*s) <= 0 {
				decided = append(decided, home)
				break
			}
		}
		s.mean, s.home = best[tier].mean, true
	}
	return decided
}

func nearly(s, best standing, tolerance float64) bool {
	return !over(best.mean, s.mean*(1+tolerance)) && s.unknowns <= best.unknowns
}

// homes finds, for each tier, the place that was used last of those that will do; of several used within one second the
// better one, then the first by name.
func homes(places []Place, standings []standing, do func(standing) bool) map[int]int {
	found := map[int]int{}
	for i, place := range places {
		if place.LastPlaced.IsZero() || !do(standings[i]) {
			continue
		}
		other, ok := found[standings[i].tier]
		if !ok || cmp.Or(
			places[other].LastPlaced.Compare(place.LastPlaced),
			standings[i].compare(standings[other]),
			cmp.Compare(place.Name, places[other].Name),
		) < 0 {
			found[standings[i].tier] = i
		}
	}
	return found
}
