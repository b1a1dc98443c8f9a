package config

import (
	"io/fs"
	"net"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/socket"
)

// Addresses are the addresses of the listeners.
type Addresses struct {
	GRPCAddr  string `name:"grpc-addr" group:"Addresses:" default:":9090" help:"The gRPC listener: HOST:PORT, :PORT, or unix:PATH for a Unix socket. The other listeners have the same forms."`
	HTTPAddr  string `name:"http-addr" group:"Addresses:" default:":8080" help:"The REST listener."`
	AdminAddr string `name:"admin-addr" group:"Addresses:" default:"127.0.0.1:9091" help:"The admin listener: a status page, /metrics, /healthz, /readyz, /log-level, /ledger/records."`

	SocketMode string `name:"socket-mode" group:"Addresses:" default:"0600" placeholder:"MODE" help:"Mode of Unix sockets, in octal: with 0660 the group may connect."`
}

func (a *Addresses) validate(p *setting.Problems) {
	check := func(flag, addr string) {
		if path, ok := socket.Path(addr); ok {
			if err := socket.CheckPath(path); err != nil {
				p.Addf(flag, "%v", err)
			}
		} else if _, _, err := net.SplitHostPort(addr); err != nil {
			p.Addf(flag, "must be HOST:PORT, :PORT or unix:PATH")
		}
	}
	check("grpc-addr", a.GRPCAddr)
	check("http-addr", a.HTTPAddr)
	check("admin-addr", a.AdminAddr)
	if _, err := socket.ParseMode(a.SocketMode); err != nil {
		p.Addf("socket-mode", "%v", err)
	}
}

// Mode returns the mode of Unix sockets. The settings must be valid.
func (a *Addresses) Mode() fs.FileMode {
	mode, _ := socket.ParseMode(a.SocketMode)
	return mode
}

// Limits are the limits on what callers send and hold, on all protocols.
type Limits struct {
	MaxRequestBytes      int64         `name:"max-request-bytes" group:"Limits:" default:"4194304" help:"Maximum size of a gRPC message or REST body, in bytes."`
	MaxDecodedBytes      int64         `name:"max-decoded-bytes" group:"Limits:" default:"268435456" help:"Maximum memory of the decoded requests in progress, in bytes; further requests are refused."`
	MaxGRPCResponseBytes int64         `name:"grpc-max-response-bytes" group:"Limits:" default:"4194304" help:"Maximum size of a message to a gRPC caller, in bytes; client libraries refuse more than 4 MiB by default. If a response is larger, a write omits its largest fields, and a read fails."`
	MaxHeaderBytes       int           `name:"max-header-bytes" group:"Limits:" default:"32768" help:"Maximum size of the metadata of a gRPC call, and of the headers of a REST request, in bytes."`
	MaxErrorBytes        int           `name:"max-error-bytes" group:"Limits:" default:"6144" help:"Maximum size of an error of a gRPC call, as encoded in its trailer, in bytes. Many clients accept at most 8192 bytes of trailers."`
	MaxConnections       int           `name:"max-connections" group:"Limits:" default:"10000" help:"Maximum of connections on each of the three listeners; further ones wait until another one ends."`
	MaxStreams           uint32        `name:"max-streams" group:"Limits:" default:"1000" help:"Maximum of concurrent calls on one gRPC connection, or on one HTTP/2 connection of the REST listener (there at most 100)."`
	MaxWaitingStreams    int           `name:"max-waiting-streams" group:"Limits:" default:"8192" help:"Maximum of gRPC streams that wait for their callers: calls whose message has not arrived, and open streams; a stream of the contract counts as four. Unknown callers get half of them, those of one address an eighth; the health and reflection services get less."`
	MaxDeadline          time.Duration `name:"max-deadline" group:"Limits:" default:"2m" help:"Maximum time of a call with a deadline; a longer deadline is shortened to this."`
	ReadTimeout          time.Duration `name:"read-timeout" group:"Limits:" default:"30s" help:"Time for a request to arrive."`
	WriteTimeout         time.Duration `name:"write-timeout" group:"Limits:" default:"15s" help:"How long a caller may read nothing of its response."`
	IdleTimeout          time.Duration `name:"idle-timeout" group:"Limits:" default:"5m" help:"How long an idle connection of a caller is kept."`
	MaxConnectionAge     time.Duration `name:"grpc-max-connection-age" group:"Limits:" default:"30m" help:"After this time, plus or minus a tenth, a gRPC connection accepts no new calls, and closes when its calls are done; 0 means never. This distributes callers over replicas behind a TCP load balancer."`
	DrainDelay           time.Duration `name:"drain-delay" group:"Limits:" default:"0s" help:"How long after SIGTERM the server still serves everything, while readiness and gRPC health already report that it stops, so that load balancers can notice. A second SIGTERM or SIGINT ends this time."`
	ShutdownTimeout      time.Duration `name:"shutdown-timeout" group:"Limits:" default:"45s" help:"How long calls in progress may take to finish after SIGTERM and --drain-delay; then they are cancelled."`
}

func (l *Limits) validate(p *setting.Problems) {
	p.Between("max-request-bytes", l.MaxRequestBytes, 1<<10, 1<<30)
	p.Between("max-decoded-bytes", l.MaxDecodedBytes, 1<<20, 1<<40)
	p.Between("grpc-max-response-bytes", l.MaxGRPCResponseBytes, 64<<10, 1<<30)
	p.Between("max-header-bytes", int64(l.MaxHeaderBytes), 4<<10, 16<<20)
	p.Between("max-error-bytes", int64(l.MaxErrorBytes), apierror.MinStatusBytes, apierror.MaxStatusBytes)
	p.Between("max-connections", int64(l.MaxConnections), 1, 1_000_000)
	p.Between("max-streams", int64(l.MaxStreams), 1, 100_000)
	p.Between("max-waiting-streams", int64(l.MaxWaitingStreams), 256, 1_000_000)
	p.Positive("max-deadline", l.MaxDeadline)
	p.Positive("read-timeout", l.ReadTimeout)
	p.Positive("write-timeout", l.WriteTimeout)
	p.Positive("idle-timeout", l.IdleTimeout)
	p.NotNegative("grpc-max-connection-age", l.MaxConnectionAge)
	p.NotNegative("drain-delay", l.DrainDelay)
	p.Positive("shutdown-timeout", l.ShutdownTimeout)
}
