package postgres

import "testing"

func TestParse_PoolSize_IsTheURLsOrEnough(t *testing.T) {
	for url, want := range map[string]int32{
		"postgres://u@h/db": defaultConns,
		"postgres://u@h/db?sslmode=disable&pool_max_conns=3": 3,
	} {
		config, err := parse(url)
		if err != nil || config.MaxConns != want {
			t.Errorf("%s: %v, want %d connections: %+v", url, err, want, config)
		}
	}
}
