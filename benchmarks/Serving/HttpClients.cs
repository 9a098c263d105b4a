using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Muse.Benchmarks;

/// <summary>What came of a load: answers that were 200, others, and how long each of the former took.</summary>
/// <param name="Seconds">How long it was measured.</param>
/// <param name="Latencies">Seconds of each good answer, ascending.</param>
/// <param name="Failures">How many answers had which other status; 0 is a broken connection.</param>
sealed record LoadResult(double Seconds, double[] Latencies, IReadOnlyDictionary<int, int> Failures)
{
    public double PerSecond => Latencies.Length / Seconds;
    public double Percentile(double share) => Latencies.Length == 0 ? double.NaN : Latencies[(int)(share * (Latencies.Length - 1))];
}

/// <summary>
/// Clients in a closed loop: each asks, waits for the answer, and asks again. Bare sockets, so that as little as possible of what is
/// measured is the client.
/// </summary>
static class HttpClients
{
    /// <summary>
    /// Posts the same JSON from so many connections; what ends within <paramref name="seconds"/> after <paramref name="warmUp"/> counts.
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
            var mine = new List<double>();
            latencies.Add(mine);
            using var connection = new Connection(port);
            while (clock.Elapsed.TotalSeconds < warmUp + seconds)
            {
                var asked = clock.Elapsed.TotalSeconds;
                var status = await connection.AskAsync(request);
                var answered = clock.Elapsed.TotalSeconds;
                if (answered < warmUp || answered > warmUp + seconds)
                    continue;
                if (status == 200)
                    mine.Add(answered - asked);
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

        /// <summary>Sends a request and reads its whole answer.</summary>
        /// <returns>The status, or 0 where the connection broke.</returns>
        public async ValueTask<int> AskAsync(byte[] request)
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
