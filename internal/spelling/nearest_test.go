package spelling_test

import (
	"strings"
	"testing"

	"github.com/digate/digate/internal/spelling"
)

func TestNearest_IsWithinAChangeForEveryTwoLetters(t *testing.T) {
	t.Parallel()
	names := []string{"shop", "region", "tienda_ñ", strings.Repeat("x", 65)}
	for misspelt, want := range map[string]string{
		"shopp": "shop", "SHOP": "shop", "hop": "shop", "sh": "", "": "", "price": "",
		"tienda_n": "tienda_ñ", "regoin": "region", strings.Repeat("x", 64): "", strings.Repeat("x", 65): "",
	} {
		if got, ok := spelling.Nearest(misspelt, names); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", misspelt, got, ok, want)
		}
	}
}
