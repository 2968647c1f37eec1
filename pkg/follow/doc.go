// Package follow ships the ConfigMaps and Secrets that a pod references to the target before its delegate, and keeps them
// there as they are in the source while the pod lives. What enters are pods, by Ensure and Release, and the source's
// objects, each by its own watch; what leaves are copies in targets, one for all the pods that use it.
//
// A copy is deleted a little after its last pod. The follower's memory is its only list of copies: rights to a target do
// not include listing Secrets. After a restart Ensure is called for every running pod, costs one GET for each copy, and
// writes only where the content differs.
package follow
