package parser

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

var errUnit = fmt.Errorf("unknown unit of size: %w", strconv.ErrSyntax)

// count reads a whole number.
func count(text []byte) (uint64, error) {
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number: %w", errors.Unwrap(err))
	}
	return v, nil
}

// units are the units of sizes, each 1024 times the one before.
var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// size reads a size such as "9.560" "MiB". Releases before 0.9.4 print small sizes
// as "0B"; then unit is empty.
func size(number, unit []byte) (uint64, error) {
	if len(unit) == 0 && len(number) > 1 && number[len(number)-1] == 'B' {
		number, unit = number[:len(number)-1], number[len(number)-1:]
	}
	power := slices.Index(units, string(unit))
	switch {
	case power < 0:
		return 0, errUnit
	case power == 0:
		if _, err := count(number); err != nil {
			return 0, fmt.Errorf("size: %w", errors.Unwrap(err)) // no fractions of bytes: "1.234 B" is not from restic
		}
	}
	for _, c := range number {
		if (c < '0' || c > '9') && c != '.' {
			return 0, fmt.Errorf("size: %w", strconv.ErrSyntax)
		}
	}
	v, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return 0, fmt.Errorf("size: %w", errors.Unwrap(err))
	}
	v = math.Round(v * float64(uint64(1)<<(10*power)))
	if v >= 1<<64 {
		return 0, fmt.Errorf("size: %w", strconv.ErrRange)
	}
	return uint64(v), nil
}

// clock reads "M:SS" or "H:MM:SS", with any number of hours. It returns nil for a
// time of more than a hundred years, which restic 0.18 prints for a skipped snapshot.
func clock(text []byte) (*time.Duration, error) {
	parts, seconds := 0, 0.0
	for part := range bytes.SplitSeq(text, []byte{':'}) {
		v, err := strconv.ParseUint(string(part), 10, 64)
		if err != nil || parts > 0 && (v > 59 || len(part) != 2) {
			return nil, fmt.Errorf("duration: %w", strconv.ErrSyntax)
		}
		parts, seconds = parts+1, seconds*60+float64(v)
	}
	switch {
	case parts != 2 && parts != 3:
		return nil, fmt.Errorf("duration: %w", strconv.ErrSyntax)
	case seconds > 100*365*24*60*60:
		return nil, nil
	}
	return new(time.Duration(seconds) * time.Second), nil
}

// isID reports whether text is a snapshot ID, short or full.
func isID(text []byte) bool {
	if len(text) != 8 && len(text) != 64 {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
