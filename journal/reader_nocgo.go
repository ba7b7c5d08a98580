//go:build !cgo

package journal

import "context"

func (r Reader) records(ctx context.Context, m match) records { return r.journalctl(ctx, m) }

func (r Reader) first(ctx context.Context, m match) (mark, error) {
	return r.journalctlEdge(ctx, m, true)
}

func (r Reader) last(ctx context.Context, m match) (mark, error) {
	return r.journalctlEdge(ctx, m, false)
}
