using System.Text;

namespace Muse.Tests.Api;

/// <summary>Valid requests of AUTOMATIC1111's API, mutated: whatever comes in, no 5xx goes out and no exception reaches the log.</summary>
public sealed class Automatic1111FuzzTests
{
    static readonly string Image = Convert.ToBase64String(FlatImageWorker.FlatPng(64, 64, 90));
    static readonly string Mask = Convert.ToBase64String(FlatImageWorker.FlatPng(32, 32, 255));

    static readonly (string Path, string Body)[] Seeds =
    [
        ("txt2img",
            """{"prompt":"(a fox:1.2) BREAK [fog] <lora:x:1>","negative_prompt":"((blur))","seed":-1,"steps":2,"cfg_scale":7,"width":64,"""
            + """ "height":64,"batch_size":1,"n_iter":1,"sampler_name":"Euler","scheduler":"Karras","restore_faces":false,"styles":["a"],"""
            + """ "override_settings":{"sd_model_checkpoint":"scenes","samples_format":"png"},"alwayson_scripts":{"x":{"args":[1]}}}"""),
        ("img2img",
            $$"""{"prompt":"a fox","init_images":["{{Image}}"],"denoising_strength":0.75,"width":64,"height":64,"steps":2}"""),
        ("img2img",
            $$"""{"prompt":"a fox","init_images":["data:image/png;base64,{{Image}}"],"mask":"{{Mask}}","inpainting_mask_invert":0,"""
            + """ "inpainting_fill":1,"mask_blur":4,"resize_mode":0,"denoising_strength":0.5,"steps":2}"""),
        ("options", """{"sd_model_checkpoint":"scenes","CLIP_stop_at_last_layers":2}"""),
        ("png-info", $$"""{"image":"data:image/png;base64,{{Image}}"}"""),
        ("interrupt", "{}"),
        ("skip", "{}"),
    ];

    static readonly string[] Paths =
    [
        "options", "sd-models", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae", "loras", "embeddings",
        "progress?skip_current_image=false", "scripts", "cmd-flags", "memory", "txt2img", "",
    ];

    static readonly string[] Values =
    [
        "null", "true", "false", "-1", "0", "1e308", "-1e999", "99999999999999999999999999999999", "1.5", "\"\"", "\"20\"", "\"NaN\"",
        "\"\\u0000\"", "\"\\ud800\"", "[]", "{}", "[[[[[1]]]]]", "{\"\\ud800\":1}", "[\"\\ud800\"]", "\"None\"", "\"画\"", "1e-300",
        "18446744073709551616", "\"((((((((:1e9)\"", "\"((a:0) [b] \\\\\"", "\"data:image/png;base64,\"", "\"http://127.0.0.1/\"", "-0",
    ];

    /// <summary>The short form of every run, 200 requests. MUSE_TEST_FUZZ=5000 runs the long form.</summary>
    [SkippableFact]
    public async Task Mutated_requests_get_an_answer_below_500_and_leave_no_exception_in_the_log()
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable("MUSE_TEST_FUZZ"), out var asked) ? asked : 200;
        await using var server = await ApiServer.StartAsync(new() { Steps = 1, HoldWord = "\n never \n", Slots = 64 },
            new Dictionary<string, string> { ["Queue:MaxLength"] = "1000000", ["Queue:Retention"] = "00:00:10" });
        var random = new Random(20261129);
        var statuses = new SortedDictionary<int, int>();
        // Other tests run beside the short form and share its memory.
        var memory = asked > 0 ? new MemoryTrend(count) : null;
        for (var i = 0; i < count; i += 16)
        {
            var requests = Enumerable.Range(0, Math.Min(16, count - i)).Select(_ => Request(random)).ToList();
            foreach (var status in await Task.WhenAll(requests.Select(request => SendAsync(server.Client, request))))
                statuses[status] = statuses.GetValueOrDefault(status) + 1;
            server.Worker!.Seen.Clear();
            server.Worker.Inputs.Clear();
            memory?.Add(i);
        }
        Console.WriteLine($"fuzz: {statuses.Values.Sum()} requests of AUTOMATIC1111's API, statuses "
            + $"{string.Join(", ", statuses.Select(pair => $"{pair.Key}: {pair.Value}"))}; {memory}");
        Assert.All(statuses.Keys, status => Assert.InRange(status, 200, 499));
        Assert.True(statuses.GetValueOrDefault(200) > count / 10, "The mutations let too little through.");
        Assert.True(statuses.Count >= 3, "The mutations reach too little.");
        Assert.Empty(server.Log.Errors);
        memory?.AssertSteady();
    }

    static async Task<int> SendAsync(HttpClient client, HttpRequestMessage request)
    {
        using (request)
        {
            using var response = await client.SendAsync(request);
            await response.Content.ReadAsByteArrayAsync();
            return (int)response.StatusCode;
        }
    }

    static HttpRequestMessage Request(Random random)
    {
        if (random.Next(5) == 0)
        {
            var get = $"/sdapi/v1/{Paths[random.Next(Paths.Length)]}";
            var method = new HttpMethod(random.Next(6) == 0 ? ((string[])["POST", "PUT", "DELETE", "HEAD"])[random.Next(4)] : "GET");
            return Abused(random, new HttpRequestMessage(method, get + (random.Next(6) == 0 ? Junk(random, "?&=%/A0") : "")));
        }
        var (path, body) = Seeds[random.Next(Seeds.Length)];
        for (var rounds = random.Next(3); rounds > 0; rounds--)
            body = Mutate(random, body);
        return Abused(random, new HttpRequestMessage(HttpMethod.Post, $"/sdapi/v1/{path}")
        {
            Content = new StringContent(body, Encoding.UTF8, random.Next(30) == 0 ? "text/plain" : "application/json"),
        });
    }

    static HttpRequestMessage Abused(Random random, HttpRequestMessage request)
    {
        if (random.Next(8) == 0)
        {
            request.Headers.TryAddWithoutValidation(
                ((string[])["Authorization", "Idempotency-Key", "Origin", "Accept", "x-stainless-retry-count"])[random.Next(5)],
                random.Next(2) == 0 ? "Basic " + Junk(random, "YWJj=:%") : Junk(random, "a:= \"-,"));
        }
        return request;
    }

    static string Mutate(Random random, string body)
    {
        if (body.Length < 2)
            return body;
        switch (random.Next(6))
        {
            case 0:
                return body[..random.Next(body.Length)];
            case 1:
                var at = random.Next(body.Length);
                return body[..at] + Junk(random, "{}[]\",:0x\\") + body[at..];
            default:
                // Another value for one of the fields.
                var colons = Enumerable.Range(1, body.Length - 1).Where(i => body[i] == ':' && body[i - 1] == '"').ToList();
                if (colons.Count == 0)
                    return body;
                var colon = colons[random.Next(colons.Count)];
                var end = body.IndexOfAny([',', '}'], colon);
                return end < 0 ? body : body[..(colon + 1)] + Values[random.Next(Values.Length)] + body[end..];
        }
    }

    static string Junk(Random random, string of) =>
        new([.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => of[random.Next(of.Length)])]);
}
