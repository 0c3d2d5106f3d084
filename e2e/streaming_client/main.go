// Command streaming_client drives streaming URLs of a CRI runtime with the packages that kubectl uses:
// remotecommand and portforward of k8s.io/client-go, each over SPDY and over WebSocket.
//
//	streaming_client command [flags] URL...       run exec or attach URLs at the same time
//	streaming_client port-forward [flags] URL PORT...
//
// With one URL a command is joined to this program's own streams. With -report the streams are generated and
// hashed, and each URL gives one line of JSON: exit code, bytes and SHA-256 of each output, milliseconds.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

type options struct {
	transport          string
	protocols          string
	stdin, stderr, tty bool
	width, height      uint
	report             bool
	send               int64
	readPause          time.Duration
	limit              time.Duration
}

type result struct {
	Code         int     `json:"code"`
	Error        string  `json:"error,omitempty"`
	StdoutBytes  int64   `json:"stdout_bytes"`
	StdoutSHA256 string  `json:"stdout_sha256"`
	StderrBytes  int64   `json:"stderr_bytes"`
	SentSHA256   string  `json:"sent_sha256"`
	Milliseconds float64 `json:"milliseconds"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: streaming_client command|port-forward [flags] URL...")
		os.Exit(2)
	}
	var given options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&given.transport, "transport", "spdy", "spdy or websocket")
	flags.StringVar(&given.protocols, "protocols", "", "offer only these, comma separated")
	flags.BoolVar(&given.stdin, "stdin", false, "send input")
	flags.BoolVar(&given.stderr, "stderr", true, "take stderr (not with a terminal)")
	flags.BoolVar(&given.tty, "tty", false, "the command has a terminal")
	flags.UintVar(&given.width, "width", 0, "columns of the terminal")
	flags.UintVar(&given.height, "height", 0, "rows of the terminal")
	flags.BoolVar(&given.report, "report", false, "hash the streams instead of joining them to this program's")
	flags.Int64Var(&given.send, "send", 0, "with -report: bytes of input to generate")
	flags.DurationVar(&given.readPause, "read-pause", 0, "with -report: pause after each read of output")
	flags.DurationVar(&given.limit, "limit", 5*time.Minute, "give up after this time")
	_ = flags.Parse(os.Args[2:])
	var err error
	switch os.Args[1] {
	case "command":
		err = commands(given, flags.Args())
	case "port-forward":
		err = forward(given, flags.Args())
	default:
		err = fmt.Errorf("unknown word %q", os.Args[1])
	}
	if err != nil {
		var exited exec.CodeExitError
		if errors.As(err, &exited) {
			os.Exit(exited.Code)
		}
		fmt.Fprintln(os.Stderr, "streaming_client:", err)
		os.Exit(125)
	}
}

func config() *rest.Config {
	return &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
}

func executor(given options, address string) (remotecommand.Executor, error) {
	offered := strings.FieldsFunc(given.protocols, func(each rune) bool { return each == ',' })
	if given.transport == "websocket" {
		if len(offered) > 0 {
			return remotecommand.NewWebSocketExecutorForProtocols(config(), "GET", address, offered...)
		}
		return remotecommand.NewWebSocketExecutor(config(), "GET", address)
	}
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if len(offered) > 0 {
		round, upgrader, err := spdy.RoundTripperFor(config())
		if err != nil {
			return nil, err
		}
		return remotecommand.NewSPDYExecutorForProtocols(round, upgrader, "POST", target, offered...)
	}
	return remotecommand.NewSPDYExecutor(config(), "POST", target)
}

func commands(given options, addresses []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), given.limit)
	defer cancel()
	if !given.report {
		streams := remotecommand.StreamOptions{Stdout: os.Stdout, Tty: given.tty}
		if given.stdin {
			streams.Stdin = os.Stdin
		}
		if given.stderr && !given.tty {
			streams.Stderr = os.Stderr
		}
		streams.TerminalSizeQueue = sizes(given)
		return stream(ctx, given, addresses[0], streams)
	}
	results := make([]result, len(addresses))
	var all sync.WaitGroup
	for index, address := range addresses {
		all.Add(1)
		go func() {
			defer all.Done()
			results[index] = measured(ctx, given, address)
		}()
	}
	all.Wait()
	encoder := json.NewEncoder(os.Stdout)
	for _, one := range results {
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

func stream(ctx context.Context, given options, address string, streams remotecommand.StreamOptions) error {
	connection, err := executor(given, address)
	if err != nil {
		return err
	}
	return connection.StreamWithContext(ctx, streams)
}

func measured(ctx context.Context, given options, address string) result {
	stdout, stderr := newCounter(given.readPause), newCounter(0)
	streams := remotecommand.StreamOptions{Stdout: stdout, Tty: given.tty}
	source := &generator{left: given.send, sum: sha256.New()}
	if given.stdin {
		streams.Stdin = source
	}
	if given.stderr && !given.tty {
		streams.Stderr = stderr
	}
	begin := time.Now()
	err := stream(ctx, given, address, streams)
	found := result{
		StdoutBytes:  stdout.count,
		StdoutSHA256: stdout.hex(),
		StderrBytes:  stderr.count,
		SentSHA256:   source.hex(),
		Milliseconds: float64(time.Since(begin).Microseconds()) / 1000,
	}
	var exited exec.CodeExitError
	switch {
	case errors.As(err, &exited):
		found.Code = exited.Code
	case err != nil:
		found.Code, found.Error = -1, err.Error()
	}
	return found
}

// counter hashes what is written to it, as slowly as it was told.
type counter struct {
	lock  sync.Mutex
	count int64
	sum   hash.Hash
	pause time.Duration
}

func newCounter(pause time.Duration) *counter {
	return &counter{sum: sha256.New(), pause: pause}
}

func (c *counter) Write(data []byte) (int, error) {
	time.Sleep(c.pause)
	c.lock.Lock()
	defer c.lock.Unlock()
	c.count += int64(len(data))
	return c.sum.Write(data)
}

func (c *counter) hex() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return hex.EncodeToString(c.sum.Sum(nil))
}

// generator gives a fixed number of bytes out of a long block that a frame never holds whole.
type generator struct {
	lock sync.Mutex // a command that ends early leaves its input being read
	left int64
	at   int
	sum  hash.Hash
}

var block = func() []byte {
	made := make([]byte, 1<<20-3)
	state := uint64(1)
	for at := range made {
		state = state*6364136223846793005 + 1442695040888963407
		made[at] = byte(state >> 56)
	}
	return made
}()

func (g *generator) hex() string {
	g.lock.Lock()
	defer g.lock.Unlock()
	return hex.EncodeToString(g.sum.Sum(nil))
}

func (g *generator) Read(data []byte) (int, error) {
	g.lock.Lock()
	defer g.lock.Unlock()
	if g.left == 0 {
		return 0, io.EOF
	}
	count := copy(data[:min(int64(len(data)), g.left)], block[g.at:])
	g.at = (g.at + count) % len(block)
	g.left -= int64(count)
	g.sum.Write(data[:count])
	return count, nil
}

// queue tells one size and then nothing more.
type queue struct {
	first chan remotecommand.TerminalSize
}

func (q *queue) Next() *remotecommand.TerminalSize {
	size, more := <-q.first
	if !more {
		return nil
	}
	return &size
}

func sizes(given options) remotecommand.TerminalSizeQueue {
	if !given.tty || given.width == 0 {
		return nil
	}
	first := make(chan remotecommand.TerminalSize, 1)
	first <- remotecommand.TerminalSize{Width: uint16(given.width), Height: uint16(given.height)}
	close(first)
	return &queue{first}
}

func forward(given options, words []string) error {
	target, err := url.Parse(words[0])
	if err != nil {
		return err
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		close(stop)
	}()
	var dialer httpstream.Dialer
	if given.transport == "websocket" {
		dialer, err = portforward.NewSPDYOverWebsocketDialer(target, config())
	} else {
		var round http.RoundTripper
		var upgrader spdy.Upgrader
		round, upgrader, err = spdy.RoundTripperFor(config())
		dialer = spdy.NewDialer(upgrader, &http.Client{Transport: round}, "POST", target)
	}
	if err != nil {
		return err
	}
	// Prints "Forwarding from 127.0.0.1:LOCAL -> PORT" once it listens.
	forwarder, err := portforward.New(dialer, words[1:], stop, ready, os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	return forwarder.ForwardPorts()
}
