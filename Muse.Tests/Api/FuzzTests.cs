using System.Text;

namespace Muse.Tests.Api;

/// <summary>Valid requests, mutated: whatever comes in, no 5xx goes out and no exception reaches the log.</summary>
public sealed class FuzzTests
{
    static readonly (string Path, string Body)[] Seeds =
    [
        ("/v1/images/generations",
            """{"prompt":"a fox","n":1,"size":"128x128","quality":"low","response_format":"b64_json","output_format":"png","""
            + """ "seed":7,"steps":2,"guidance_scale":3.5,"negative_prompt":"fog","scheduler":"ddim","user":"u","prompt_weights":true}"""),
        ("/v1/images/generations",
            """{"prompt":"a fox","stream":true,"partial_images":2,"output_format":"jpeg","output_compression":40,"""
            + """ "background":"auto","moderation":"low","style":"vivid","model":"gpt-image-1"}"""),
        ("/v1/generations", """{"prompt":"a fox","n":2,"previews":3,"priority":"batch","deadline_seconds":60,"size":"auto"}"""),
        ("/api/predict", """{"prompt":"a fox","high_quality":false}"""),
    ];

    /// <summary>What is requested without a body; JOB stands for a job that there is.</summary>
    static readonly string[] Paths =
    [
        "/v1/generations?limit=5&cursor=1795520616101-JOB", "/v1/generations/JOB", "/v1/generations/JOB/events",
            "/v1/generations/JOB/images/0", "/v1/generations/JOB/images/0/preview",
        "/v1/images/files/JOB/0.png", "/v1/models/scenes", "/v1/ops/dead-letters?limit=5", "/v1/ops/dead-letters/1-1/requeue",
            "/num-requests", "/system/info", "/api/health", "/openapi/v1.json", "/metrics", "/js/dom.js",
    ];

    static readonly string[] Values = ["null", "true", "-1", "0", "1e308", "1e999", "99999999999999999999", "1.5", "\"\"", "\"\\u0000\"",
        "\"\\ud800\"", "\"\\u202e\\ud83d\\ude00\"", "[]", "{}", "[[[[[[1]]]]]]", "\"128x128\"", "\"0x0\"", "\"-8x8\"", "\"99999x99999\"",
        "\"١٢٨x128\"", "\"a\\nb\"", "1.0", "10e-1", "18446744073709551615", "-0", "1e-400", "\"\\udc00\\ud800\"", "\"1024x1024\"",
        "\"gpt-image-9\"", "\"(a:1.3) BREAK <lora:x:1>\"",
        Long + "画", Long + "é", Long + "\\u0001", Long + "\\ud83d\\ude00", Long + "😀", Long + "\u2028"];

    /// <summary>Marks a value that is a text at the limit of a prompt's length.</summary>
    const string Long = "long:";

    /// <summary>The short form of every run, 800 requests. MUSE_TEST_FUZZ=20000 runs the long form.</summary>
    [SkippableFact]
    public async Task Mutated_requests_get_a_status_below_500_and_leave_no_exception_in_the_log()
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable("MUSE_TEST_FUZZ"), out var asked) ? asked : 800;
        await using var server = await ApiServer.StartAsync(new() { Steps = 1, HoldWord = "\n never \n", Slots = 64 },
            new Dictionary<string, string> { ["Queue:MaxLength"] = "1000000", ["Queue:Retention"] = "00:00:10" });
        var random = new Random(20221103);
        using var made = await server.Client.PostAsync("/v1/generations",
            new StringContent("""{"prompt":"a fox"}""", null, "application/json"));
        var job = made.Headers.Location!.ToString().Split('/')[^1];
        var statuses = new SortedDictionary<int, int>();
        var unanswered = new List<string>();
        // Other tests run beside the short form and share its memory.
        var memory = asked > 0 ? new MemoryTrend(count) : null;
        for (var i = 0; i < count; i += 16)
        {
            var requests = Enumerable.Range(0, 16).Select(_ => random.Next(5) == 0 ? MutatePath(random, server.Address, job)
                : Mutate(random)).ToList();
            foreach (var (status, error) in await Task.WhenAll(requests.Select(request => SendAsync(server.Client, request))))
            {
                statuses[status] = statuses.GetValueOrDefault(status) + 1;
                if (error is not null)
                    unanswered.Add(error);
            }

            server.Worker!.Seen.Clear(); // The test's own list must not count as the server's memory.
            memory?.Add(i);
        }

        Console.WriteLine($"fuzz: {count} requests, statuses {string.Join(", ", statuses.Select(pair => $"{pair.Key}: {pair.Value}"))}; "
            + memory);
        Assert.Empty(unanswered);
        Assert.All(statuses.Keys, status => Assert.InRange(status, 0, 499));
        Assert.True(statuses.Count >= 3, "The mutations reach too little.");
        Assert.Empty(server.Log.Errors);
        memory?.AssertSteady();
    }

    /// <summary>The status; or 0 where there was no answer, and the reason.</summary>
    static async Task<(int Status, string? Error)> SendAsync(HttpClient client, HttpRequestMessage request)
    {
        try
        {
            using var response = await client.SendAsync(request);
            await response.Content.ReadAsByteArrayAsync();
            return ((int)response.StatusCode, null);
        }
        catch (HttpRequestException) when (request.Content?.Headers.ContentLength > 1 << 20)
        {
            return (0, null); // The server answers before it has read a body that is too large, and may close while the client still sends.
        }
        catch (HttpRequestException exception)
        {
            return (0, $"{request.ToString().ReplaceLineEndings(" ")} {exception}");
        }
        finally
        {
            request.Dispose();
        }
    }

    static HttpRequestMessage MutatePath(Random random, Uri server, string job)
    {
        var path = Paths[random.Next(Paths.Length)].Replace("JOB", job, StringComparison.Ordinal);
        var mutated = path;
        for (var rounds = random.Next(3); rounds > 0; rounds--)
        {
            var at = random.Next(1, mutated.Length + 1);
            mutated = random.Next(3) switch
            {
                0 => mutated[..at],
                1 => mutated[..at] + Junk(random, "/?&=#.-%00A9") + mutated[at..],
                _ => mutated[..at] + ((string[])["%00", "%2F", "%2e%2e/", "%ff%fe", "%F0%9F%98%80", "-1", "99999999999999999999",
                    "0x1"])[random.Next(8)] + mutated[at..],
            };
        }
        var method = ((string[])["GET", "GET", "GET", "HEAD", "DELETE", "POST"])[random.Next(6)];
        var request = new HttpRequestMessage(new(method),
            Uri.TryCreate(server.GetLeftPart(UriPartial.Authority) + mutated, UriKind.Absolute, out var uri) ? uri : new(server, path));
        Abuse(random, request);
        return request;
    }

    static HttpRequestMessage Mutate(Random random)
    {
        var (path, text) = Seeds[random.Next(Seeds.Length)];
        var body = Encoding.UTF8.GetBytes(text);
        for (var rounds = random.Next(3); rounds >= 0; rounds--)
            body = Mutate(random, body);
        var method = random.Next(30) == 0 ? new HttpMethod(((string[])["GET", "PUT", "DELETE", "PATCH", "OPTIONS",
            "QUERY"])[random.Next(6)]) : HttpMethod.Post;
        var request = new HttpRequestMessage(method, random.Next(20) == 0 ? path + Junk(random, "/?#%00") : path);
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.TryAddWithoutValidation("Content-Type", random.Next(40) switch
        {
            0 => "text/plain",
            1 => "application/json; charset=utf-16",
            5 => "application/json; charset=utf8",
            6 => "application/json; charset=\"\"; boundary=x",
            7 => "APPLICATION/JSON",
            2 => "application/json;;;=",
            3 => "",
            4 => "application/problem+json",
            _ => "application/json",
        });
        Abuse(random, request);
        return request;
    }

    /// <summary>Now and then a header that is not what it should be.</summary>
    static void Abuse(Random random, HttpRequestMessage request)
    {
        if (random.Next(6) == 0)
        {
            request.Headers.TryAddWithoutValidation(
                ((string[])["Idempotency-Key", "x-stainless-retry-count", "Prefer", "Last-Event-ID", "Authorization", "x-api-key",
                    "Accept", "traceparent", "X-Forwarded-For", "Content-Encoding", "If-None-Match", "Range",
                    "Origin", "Host", "Access-Control-Request-Method", "X-Forwarded-Prefix", "Forwarded", "If-Range", "If-Modified-Since",
                    "Expect"])[random.Next(20)],
                random.Next(4) == 0 ? new string('x', random.Next(1, 9000)) : Junk(random, "wait=1 Bearer \"-,;9"));
        }
    }

    static byte[] Mutate(Random random, byte[] body)
    {
        if (body.Length == 0)
            return body;
        switch (random.Next(8))
        {
            case 0:
                return body[..random.Next(body.Length)];
            case 1:
                body = [.. body];
                body[random.Next(body.Length)] = (byte)random.Next(256);
                return body;
            case 2:
                var at = random.Next(body.Length);
                return [.. body[..at], .. Encoding.UTF8.GetBytes(Junk(random, "{}[]\",:0x")), .. body[at..]];
            case 3:
                return random.Next(50) == 0 ? [.. body, .. new byte[1 << 20]] : [0xEF, 0xBB, 0xBF, .. body];
            default:
                // Another value for one of the fields.
                var text = Encoding.Latin1.GetString(body);
                var colons = text.Select((c, i) => (c, i)).Where(pair => pair.c == ':').Select(pair => pair.i).ToList();
                if (colons.Count == 0)
                    return body;
                var colon = colons[random.Next(colons.Count)];
                var end = text.IndexOfAny([',', '}'], colon);
                if (end < 0)
                    return body;
                var (before, after) = (Encoding.Latin1.GetBytes(text[..(colon + 1)]), Encoding.Latin1.GetBytes(text[end..]));
                return [.. before, .. Encoding.UTF8.GetBytes(Value(random)), .. after];
        }
    }

    /// <summary>A value; a long one has as many characters as a prompt may have, one fewer or one more.</summary>
    static string Value(Random random)
    {
        var value = Values[random.Next(Values.Length)];
        if (!value.StartsWith(Long, StringComparison.Ordinal))
            return value;
        var text = value[Long.Length..];
        var characters = text.Contains('\\') ? text.Count(c => c == '\\') : text.Length;
        return $"\"{string.Concat(Enumerable.Repeat(text, (32_000 + random.Next(-1, 2)) / characters))}\"";
    }

    static string Junk(Random random, string of) =>
        new([.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => of[random.Next(of.Length)])]);
}
