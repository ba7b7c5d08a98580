package parser

import (
	"bytes"
	"errors"
	"fmt"
	"math"
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

// size reads a size such as "9.560" "MiB". Releases before 0.9.4 print small sizes
// as "0B"; then unit is empty.
func size(number, unit []byte) (uint64, error) {
	if len(unit) == 0 && len(number) > 1 && number[len(number)-1] == 'B' {
		number, unit = number[:len(number)-1], number[len(number)-1:]
	}
	var shift uint
	switch string(unit) {
	case "B":
		if _, err := count(number); err != nil {
			return 0, fmt.Errorf("size: %w", errors.Unwrap(err)) // no fractions of bytes: "1.234 B" is not from restic
		}
	case "KiB":
		shift = 10
	case "MiB":
		shift = 20
	case "GiB":
		shift = 30
	case "TiB":
		shift = 40
	case "PiB":
		shift = 50
	case "EiB":
		shift = 60
	default:
		return 0, errUnit
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
	v = math.Round(v * float64(uint64(1)<<shift))
	if v >= 1<<64 {
		return 0, fmt.Errorf("size: %w", strconv.ErrRange)
	}
	return uint64(v), nil
}

// clock reads "M:SS" or "H:MM:SS", with any number of hours. It returns nil for a
// time of more than a hundred years, which restic 0.18 prints for a skipped snapshot.
func clock(text []byte) (*time.Duration, error) {
	var parts [3]uint64
	n := 0
	for part := range bytes.SplitSeq(text, []byte{':'}) {
		v, err := strconv.ParseUint(string(part), 10, 64)
		if err != nil || n == 3 || n > 0 && (v > 59 || len(part) != 2) {
			return nil, fmt.Errorf("duration: %w", strconv.ErrSyntax)
		}
		parts[n] = v
		n++
	}
	switch n {
	case 2:
		parts = [3]uint64{0, parts[0], parts[1]}
	case 3:
	default:
		return nil, fmt.Errorf("duration: %w", strconv.ErrSyntax)
	}
	const year = 365 * 24
	if parts[0] > 100*year || parts[1] > 100*year*60 {
		return nil, nil
	}
	d := time.Duration(parts[0])*time.Hour + time.Duration(parts[1])*time.Minute + time.Duration(parts[2])*time.Second
	return &d, nil
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

// fields splits text at blanks into f and returns the number of fields, or
// len(f)+1 if there are more than fit.
func fields(f [][]byte, text []byte) int {
	n := 0
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		j := i
		for j < len(text) && text[j] != ' ' {
			j++
		}
		if n == len(f) {
			return n + 1
		}
		f[n] = text[i:j]
		n++
		i = j
	}
	return n
}
