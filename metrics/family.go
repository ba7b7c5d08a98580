package metrics

// A family declares a metric family. Its name and help never change: node_exporter drops
// a family whose help differs between two files, and a directory can hold files of two
// versions.
type family struct {
	name   string
	help   string
	kept   rule
	labels []string // besides "unit" and those of the user
}

// declared has all families. They are declared where they are set: those of the run in
// run.go, of its steps in steps.go, of what a backup saved in snapshots.go, of the repository
// in repository.go, and of this program in exporter.go.
var declared []*family

// gauge declares a family. All families are gauges.
func gauge(name, help string, kept rule, labels ...string) *family {
	f := &family{name, help, kept, labels}
	declared = append(declared, f)
	return f
}
