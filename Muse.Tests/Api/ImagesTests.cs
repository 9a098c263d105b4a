using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;
using Muse.Queue;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

public sealed class ImagesTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task A_prompt_comes_back_as_an_image_with_the_seed_that_generates_it_again()
    {
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations",
            new { prompt = "a fox", size = "192x128", seed = 77, steps = 3, guidance_scale = 2.5, unheard_of = true });

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.StartsWith("req_", response.Headers.GetValues("x-request-id").Single());
        var answer = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!;
        Assert.Equal(("192x128", 77UL, "png", "medium"), (answer.Size, answer.Seed, answer.OutputFormat, answer.Quality));
        var image = Assert.Single(answer.Data);
        Assert.Equal(FlatImageWorker.FlatPng(192, 128, 77), Convert.FromBase64String(image.B64Json!));
        Assert.Equal((77UL, null), (image.Seed, image.Url));
        var job = Assert.Single(server.Worker!.Seen);
        Assert.Equal((3, 2.5f, "ddim"), (job.Steps, job.GuidanceScale, job.Sampler));
    }

    [SkippableFact]
    public async Task Links_need_no_key_and_carry_the_image_with_a_lasting_ETag()
    {
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations",
            new { prompt = "a fox", n = 4, response_format = "url", seed = 5 });
        var answer = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!;

        Assert.Equal([5, 6, 7, 8], answer.Data.Select(image => image.Seed));
        foreach (var image in answer.Data)
        {
            using var file = await server.Client.GetAsync(image.Url);
            Assert.Equal("image/png", file.Content.Headers.ContentType!.MediaType);
            Assert.Equal(FlatImageWorker.FlatPng(128, 128, (byte)image.Seed), await file.Content.ReadAsByteArrayAsync());
            using var again = new HttpRequestMessage(HttpMethod.Get,
                image.Url)
            { Headers = { { "If-None-Match", file.Headers.ETag!.ToString() } } };
            using var unchanged = await server.Client.SendAsync(again);
            Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        }
    }

    [SkippableFact]
    public async Task Without_a_card_general_limits_hold_and_the_worker_fills_what_was_left_out()
    {
        await using var unknown = await ApiServer.StartAsync(new() { Announces = false });
        using var response = await unknown.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox", quality = "high" });

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var job = Assert.Single(unknown.Worker!.Seen);
        Assert.Equal((null, null, null, null), (job.Width, job.Steps, job.GuidanceScale, job.Sampler));
    }

    [SkippableFact]
    public async Task Redis_away_is_said_as_503_with_a_time_to_come_back()
    {
        await server.Redis.KillAsync();
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" });

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.True(response.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        Assert.Equal("queue_unavailable", await Code(response));
        await server.Redis.LaunchAsync();
    }

    [SkippableFact]
    public async Task A_503_does_not_count_as_a_disconnect_and_the_job_keeps_waiting()
    {
        await using var idle = await ApiServer.StartAsync(withoutWorker: true, redisTimeout: 3000);
        var (queue, job) = (idle.Services.GetRequiredService<JobQueue>(), Queue.Samples.Job());
        await queue.SubmitAsync(job, null, CancellationToken.None);
        // Redis knows the script from now on, so that a cancellation needs one message.
        await queue.CancelAsync("nobody", CancellationToken.None);
        idle.Redis.Pause();
        try
        {
            var retry = new SubmissionResult.Accepted(Queue.Samples.Job(), job.Id, [], CancelOnDisconnect: true);
            await Assert.ThrowsAsync<QueueUnavailableException>(() => idle.Services.GetRequiredService<WaitingConnections>()
                .WaitAsync(retry, new DefaultHttpContext()));
        }
        finally
        {
            idle.Redis.Resume(); // What was sent to it meanwhile is done now.
        }
        await Queue.Samples.EventuallyAsync(async () => (await idle.Client.GetAsync("/health")).StatusCode, status =>
            status == HttpStatusCode.OK);
        Assert.Equal(JobState.Queued, (await queue.FindAsync(job.Id, Queue.Samples.Limit()))!.State);
    }

    [SkippableFact]
    public async Task A_stopped_server_cancels_no_job_and_a_retry_at_another_server_finds_it()
    {
        var address = new Uri($"http://127.0.0.1:{RedisServer.FreePort()}");
        await using var stopping = new ProgramProcess("Muse.Api", server.Redis, ("ASPNETCORE_URLS", address.ToString()),
            ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "1"), ("MUSE_RATE_LIMITS", "false"));
        await Until(() => stopping.Output.Contains("Now listening on"));
        var asking = server.Client.SendAsync(Ask(address));
        await Until(() => server.Worker!.Seen.Count == 1);
        stopping.Terminate();
        await stopping.WaitForExitAsync(Queue.Samples.Limit());
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => asking);

        server.Worker!.Release();
        using var answer = await server.Client.SendAsync(Ask(server.Address));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Single(server.Worker.Seen);

        static HttpRequestMessage Ask(Uri server) => new(HttpMethod.Post, new Uri(server, "/v1/images/generations"))
        {
            Headers = { { "Idempotency-Key", "the one" } },
            Content = JsonContent.Create(new { prompt = "hold this" }),
        };
    }

    [SkippableFact]
    public async Task Hanging_up_cancels_the_job()
    {
        using var hangup = new CancellationTokenSource();
        var request = server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "hold this" }, hangup.Token);
        await Until(() => server.Worker!.Seen.Count == 1);
        await hangup.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);

        await Until(() => server.Worker!.Cancelled == 1);
    }

    [SkippableFact]
    public async Task A_failed_image_is_an_error_that_clients_do_not_retry()
    {
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "explode" });

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        Assert.Equal("engine_failure", await Code(response));
    }

    [SkippableTheory]
    [InlineData("""{"prompt":"a fox","size":"100x100"}""", "size", "a multiple of 8 from 64 to 512")]
    [InlineData("""{"prompt":"a fox","size":"1040x1040"}""", "size", "128x128")]
    [InlineData("""{"prompt":"a fox","size":7}""", "size", "string")]
    [InlineData("""{"prompt":"a fox","n":"2"}""", "n", "integer")]
    [InlineData("""{"prompt":"a fox","n":11}""", "n", "1 to 10")]
    [InlineData("""{"prompt":"a fox","n":1.5}""", "n", "integer")]
    [InlineData("""{"prompt":"  "}""", "prompt", "missing or empty")]
    [InlineData("""{"n":1}""", "prompt", "missing or empty")]
    [InlineData("""{"prompt":["a fox"]}""", "prompt", "string")]
    [InlineData("""{"prompt":"a \ud800 fox"}""", "prompt", "Unicode")]
    [InlineData("""{"prompt":"a fox","steps":101}""", "steps", "1 to 100")]
    [InlineData("""{"prompt":"a fox","guidance_scale":1e39}""", "guidance_scale", "0 to 50")]
    [InlineData("""{"prompt":"a fox","scheduler":"magic"}""", "scheduler", "ddim, euler")]
    [InlineData("""{"prompt":"a fox","output_format":"gif"}""", "output_format", "png, jpeg, webp")]
    [InlineData("""{"prompt":"a fox","output_compression":50}""", "output_compression", "jpeg and webp")]
    [InlineData("""{"prompt":"a fox","background":"transparent"}""", "background", "opaque")]
    [InlineData("""{"prompt":"a fox","stream":"yes"}""", "stream", "true or false")]
    [InlineData("""{"prompt":"a fox","partial_images":4,"stream":true}""", "partial_images", "0 to 3")]
    [InlineData("""{"prompt":"a fox","seed":-2}""", "seed", "-1 to 18446744073709551615")]
    [InlineData("""{"prompt":"a fox" """, null, "not valid JSON: line 1")]
    [InlineData("""[1]""", null, "JSON object")]
    [InlineData("null", null, "JSON object")]
    [InlineData("", null, "not valid JSON")]
    public async Task A_wrong_field_is_named_with_what_is_allowed(string body, string? field, string allowed)
    {
        using var response = await server.Client.PostAsync("/v1/images/generations",
            new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json")));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await response.Content.ReadFromJsonAsync(ApiJson.Default.OpenAIErrorBody))!.Error;
        Assert.Equal(("invalid_request_error", field), (error.Type, error.Param));
        Assert.Contains(allowed, error.Message);
    }

    [SkippableFact]
    public async Task A_refused_word_is_refused_in_both_prompts_as_a_whole_word_and_the_error_names_the_field()
    {
        await using var strict = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        { ["Api:RefusedWords"] = "gore, c++" });
        foreach (var (body, field) in ((object, string)[])[(new { prompt = "a fox, GORE." }, "prompt"),
            (new { prompt = "a fox", negative_prompt = "no c++ here" }, "negative_prompt")])
        {
            using var refused = await strict.Client.PostAsJsonAsync("/v1/images/generations", body);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal(field, (await refused.Content.ReadFromJsonAsync(ApiJson.Default.OpenAIErrorBody))!.Error.Param);
        }
        using (var job = await strict.Client.PostAsJsonAsync("/v1/generations", new { prompt = "gore" }))
            Assert.Equal(HttpStatusCode.BadRequest, job.StatusCode);
        using (var original = await strict.Client.PostAsJsonAsync("/api/predict", new { prompt = "gore", high_quality = false }))
            Assert.Equal(HttpStatusCode.BadRequest, original.StatusCode);
        Assert.Empty(strict.Worker!.Seen);
        using var allowed = await strict.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "Gorey's fox writes c" });
        Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
    }

    [SkippableFact]
    public async Task A_full_queue_says_when_there_will_be_room_and_has_it_when_there_is()
    {
        await using var busy = await ApiServer.StartAsync(settings: new Dictionary<string, string> { ["Queue:MaxWait"] = "00:00:10" },
            withoutWorker: true);
        // A fleet that generates one image in two seconds.
        await busy.Services.GetRequiredService<Fleet>().SendHeartbeatAsync(Queue.FleetTests.Beat("slow", imagesPerSecond: 0.5), default);
        using var first = await busy.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", n = 7 });
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);

        using var refused = await busy.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" });
        Assert.Equal((HttpStatusCode.TooManyRequests, "queue_full"), (refused.StatusCode, await Code(refused)));
        // Seven images take 14 s: in 4 s a new one waits no longer than the 10 s that are allowed.
        Assert.Equal(TimeSpan.FromSeconds(4), refused.Headers.RetryAfter!.Delta);
        using var job = await busy.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" });
        Assert.Equal((HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(4)), (job.StatusCode, job.Headers.RetryAfter!.Delta));

        using var cancelled = await busy.Client.DeleteAsync(first.Headers.Location);
        using var accepted = await busy.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" });
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
    }

    [SkippableFact]
    public async Task Other_errors_have_their_status_and_OpenAIs_shape()
    {
        var valid = """{"prompt":"a fox"}""";
        Assert.Equal((404, "model_not_found"), await Post("""{"prompt":"a fox","model":"other"}""", "application/json"));
        Assert.Equal((415, "unsupported_media_type"), await Post(valid, "text/plain"));
        Assert.Equal((415, "unsupported_charset"), await Post(valid, "application/json; charset=utf-16"));
        Assert.Equal((413, "body_too_large"), await Post($$"""{"prompt":"{{new string('x', 1 << 20)}}"}""", "application/json"));
        using var wrongVerb = await server.Client.GetAsync("/v1/images/generations");
        Assert.Equal((405, "method_not_allowed"), ((int)wrongVerb.StatusCode, await Code(wrongVerb)));
        using var wrongPath = await server.Client.GetAsync("/v1/images/nothing");
        Assert.Equal((404, "not_found"), ((int)wrongPath.StatusCode, await Code(wrongPath)));

        async Task<(int, string)> Post(string body, string type)
        {
            var content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(body));
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/images/generations") { Content = content };
            // The server answers before it has read a body that is too large, and then hangs up: wait for the answer before sending it.
            request.Headers.ExpectContinue = true;
            using var response = await server.Client.SendAsync(request);
            return ((int)response.StatusCode, await Code(response));
        }
    }

    [SkippableFact]
    public async Task The_model_says_what_it_can_do_and_the_server_that_it_is_well()
    {
        var models = (await server.Client.GetFromJsonAsync("/v1/models", ApiJson.Default.ModelList))!;
        var model = Assert.Single(models.Data);
        Assert.Equal(("scenes", "128x128", 512), (model.Id, model.Capabilities!.DefaultSize, model.Capabilities.MaxSize));
        Assert.Equal("scenes", (await server.Client.GetFromJsonAsync("/v1/models/scenes", ApiJson.Default.ModelDescription))!.Id);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.GetAsync("/v1/models/other")).StatusCode);
        Assert.Equal("Healthy", await server.Client.GetStringAsync("/health"));
        Assert.Equal("Healthy", await server.Client.GetStringAsync("/alive"));
    }

    static async Task<string> Code(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("code").GetString()!;

    internal static async Task Until(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (!condition())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Delay(10, limit.Token); // Looks again; the condition decides, not the time.
        }
    }
}
