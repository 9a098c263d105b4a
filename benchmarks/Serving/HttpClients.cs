using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Muse.Benchmarks;

/// <summary>The responses to a load: the latencies of those with status 200, and the number of others.</summary>
/// <param name="Seconds">The time of the measurement.</param>
/// <param name="Latencies">Latency of each response with status 200, in seconds, ascending.</param>
/// <param name="Failures">The number of responses by other status; 0 is a broken connection.</param>
sealed record LoadResult(double Seconds, double[] Latencies, IReadOnlyDictionary<int, int> Failures)
{
    public double PerSecond => Latencies.Length / Seconds;
    public double Percentile(double share) => Latencies.Length == 0 ? double.NaN : Latencies[(int)(share * (Latencies.Length - 1))];
}

/// <summary>
/// Clients in a closed loop: each sends a request, waits for the response, and sends the next. They use sockets directly, so that the
/// clients are a small part of what is measured.
/// </summary>
static class HttpClients
{
    /// <summary>
    /// Posts the same JSON from many connections. Responses within <paramref name="seconds"/> after <paramref name="warmUp"/> count.
    /// </summary>
    public static async Task<LoadResult> RunAsync(int port, string path, string json, int clients, double seconds, double warmUp = 1)
    {
        var request = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}"));
        var latencies = new ConcurrentBag<List<double>>();
        var failures = new ConcurrentDictionary<int, int>();
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(async () =>
        {
            var own = new List<double>();
            latencies.Add(own);
            using var connection = new Connection(port);
            while (clock.Elapsed.TotalSeconds < warmUp + seconds)
            {
                var sent = clock.Elapsed.TotalSeconds;
                var status = await connection.SendAsync(request);
                var received = clock.Elapsed.TotalSeconds;
                if (received < warmUp || received > warmUp + seconds)
                    continue;
                if (status == 200)
                    own.Add(received - sent);
                else
                    failures.AddOrUpdate(status, 1, static (_, count) => count + 1);
            }
        })));
        return new(seconds, [.. latencies.SelectMany(list => list).Order()], failures);
    }

    sealed class Connection : IDisposable
    {
        static readonly byte[] LastChunk = "0\r\n\r\n"u8.ToArray();

        readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        byte[] buffer = new byte[16 * 1024];

        public Connection(int port) => socket.Connect("127.0.0.1", port);

        /// <summary>Sends a request and reads the whole response.</summary>
        /// <returns>The status, or 0 if the connection broke.</returns>
        public async ValueTask<int> SendAsync(byte[] request)
        {
            await socket.SendAsync(request);
            int length = 0, body = -1, end = -1;
            var chunked = false;
            while (true)
            {
                if (length == buffer.Length)
                    Array.Resize(ref buffer, 2 * buffer.Length);
                var read = await socket.ReceiveAsync(buffer.AsMemory(length));
                if (read == 0)
                    return 0;
                length += read;
                if (body < 0 && buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) is >= 0 and var at)
                {
                    body = at + 4;
                    var head = Encoding.ASCII.GetString(buffer, 0, body);
                    chunked = head.Contains("chunked", StringComparison.OrdinalIgnoreCase);
                    if (!chunked)
                    {
                        var from = head.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase) + 16;
                        end = body + int.Parse(head.AsSpan(from, head.IndexOf('\r', from) - from), CultureInfo.InvariantCulture);
                    }
                }
                if (body >= 0 && (chunked ? buffer.AsSpan(0, length).EndsWith(LastChunk) : length >= end))
                    return int.Parse(Encoding.ASCII.GetString(buffer, 9, 3), CultureInfo.InvariantCulture);
            }
        }

        public void Dispose() => socket.Dispose();
    }
}
