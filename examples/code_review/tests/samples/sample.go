package main

import "fmt"

type Shape interface {
	Area() float64
}

type box struct{ w, h float64 }

var text = `func not() { if true { } }`

func (b *box) Area() float64 { return b.w * b.h }

func largest[T int | float64](values []T) (best T, err error) {
	for _, v := range values {
		if v > best {
			best = v
		} else if v == best {
			continue
		}
	}
	return best, nil
}

func anything(x interface{}) map[string]struct{} {
	switch v := x.(type) {
	case int:
		if v > 0 {
			return map[string]struct{}{"a": {}}
		}
	}
	for _, w := range []string{"a", "b"} {
		fmt.Println(w)
	}
	return nil
}

func worker(jobs <-chan int) func() error {
	done := func() error {
		for j := range jobs {
			select {
			case <-jobs:
				fmt.Println('{', j)
			}
		}
		return nil
	}
	if err := func() error { return nil }(); err != nil {
		return nil
	}
	return done
}

func flat() {}
