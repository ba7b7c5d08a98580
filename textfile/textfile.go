// Package textfile writes metrics for the textfile collector of node_exporter.
//
// [WriteFile] writes any metric families, [Update] those that depend on what
// the file holds already, and [Report] makes those of a restic backup.
//
// Package textfile knows nothing of journals: a [Report] is filled by whoever
// has read one.
package textfile
