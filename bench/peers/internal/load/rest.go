package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/digate/digate/bench/peers/internal/fixture"
)

// OverREST returns a call of Diga's route at an address. Each worker has a
// connection of its own, which is left open until end. Request ids begin with prefix;
// without it, calls have none. A response must be Diga's byte for byte, or pass the check if
// there is one.
func OverREST(addr, prefix string, workers int, config *tls.Config, v fixture.Variables, check Check) (call Call, end func() error) {
	clients := make([]restClient, workers)
	head := "POST " + fixture.Path + " HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: bench\r\nAuthorization: " + fixture.Authorization +
		"\r\nContent-Type: application/json\r\n"
	var made counter
	call = func(_ context.Context, worker, n int) error {
		c := &clients[worker]
		if c.conn == nil {
			if err := c.dial(addr, config); err != nil {
				return err
			}
		}
		id := ""
		if prefix != "" {
			id = prefix + strconv.Itoa(made.next())
		}
		if err := c.copy(head, id, n, v, check); err != nil {
			return fmt.Errorf("copy %d: %w", n, err)
		}
		return nil
	}
	return call, func() error {
		var errs []error
		for _, c := range clients {
			if c.conn != nil {
				errs = append(errs, c.conn.Close())
			}
		}
		return errors.Join(errs...)
	}
}

// Check looks at the body of the response to the copy of that number.
type Check func(n int, body []byte) error

// same returns an error unless the body is Diga's.
func (c *restClient) same(n int, body []byte) error {
	if c.want = fixture.AppendResponse(c.want[:0], n); !bytes.Equal(body, c.want) {
		return fmt.Errorf("got %s, want %s", body, c.want)
	}
	return nil
}

// restClient is a connection with the buffers of its calls.
type restClient struct {
	conn net.Conn
	r    *bufio.Reader

	body, out, want, got []byte
}

func (c *restClient) dial(addr string, config *tls.Config) (err error) {
	if config == nil {
		c.conn, err = net.Dial("tcp", addr)
	} else {
		c.conn, err = (&tls.Dialer{Config: config}).Dial("tcp", addr)
	}
	c.r = bufio.NewReader(c.conn)
	return err
}

// copy makes a copy, with a request id if it is not empty, and looks at the whole response.
func (c *restClient) copy(head, id string, n int, v fixture.Variables, check Check) error {
	c.body = fixture.AppendBody(c.body[:0], n, v)
	c.out = append(c.out[:0], head...)
	if id != "" {
		c.out = append(append(append(c.out, "Idempotency-Key: "...), id...), "\r\n"...)
	}
	c.out = strconv.AppendInt(append(c.out, "Content-Length: "...), int64(len(c.body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), c.body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	got := bytes.NewBuffer(c.got[:0])
	_, err = io.Copy(got, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	c.got = got.Bytes()
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Content-Type") != "application/json" {
		return fmt.Errorf("got %s, %s: %s, want 201", resp.Status, resp.Header.Get("Content-Type"), c.got)
	}
	if check == nil {
		check = c.same
	}
	return check(n, c.got)
}
