package delegate

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// strings sets what differs, and takes away what was sent once and is wanted no more.
func (f fields) strings(name string, has, wants map[string]string, last *sentStrings) {
	if last != nil && last.digest == digestOfMap(wants) {
		return
	}
	changed := fields{}
	for key, value := range wants {
		if had, ok := has[key]; !ok || had != value {
			changed[key] = value
		}
	}
	if last != nil {
		for _, key := range last.keys {
			_, wanted := wants[key]
			if _, ok := has[key]; ok && !wanted && !strings.HasPrefix(key, ownPrefix) { // a target may have written the record
				changed[key] = nil
			}
		}
	}
	if len(changed) > 0 {
		f[name] = changed
	}
}

func (f fields) resized(name string, has, wants corev1.ResourceList) {
	changed := fields{}
	for _, resource := range resizable {
		if q, ok := wants[resource]; ok && !q.Equal(has[resource]) {
			changed[string(resource)] = q
		}
	}
	if len(changed) > 0 {
		f[name] = changed
	}
}

func (f fields) add(list string, item fields) {
	items, _ := f[list].([]fields)
	f[list] = append(items, item)
}
