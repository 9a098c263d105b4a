using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;

namespace Muse.Tests.Api;

public sealed class GenerationsTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task A_job_is_accepted_at_once_and_found_completed_where_the_response_says()
    {
        using var accepted = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "hold a fox", n = 2, seed = 9 });
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        var job = (await accepted.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        Assert.Equal($"/v1/generations/{job.Id}", accepted.Headers.Location!.ToString());
        Assert.Contains(job.State, (string[])["queued", "running"]);

        server.Worker!.Release();
        using var wait = new HttpRequestMessage(HttpMethod.Get, accepted.Headers.Location) { Headers = { { "Prefer", "wait=30" } } };
        using var found = await server.Client.SendAsync(wait);
        Assert.Equal("wait=30", found.Headers.GetValues("Preference-Applied").Single());
        job = (await found.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        Assert.Equal(("succeeded", 8, 8), (job.State, job.Step, job.Steps));
        Assert.Equal([9, 10], job.Images.Select(image => image.Seed));
        Assert.All(job.Images, image => Assert.True(image.WaitedSeconds >= 0 && image.GenerationSeconds >= 0));

        using var image = await server.Client.GetAsync(job.Images[1].ImageUrl);
        Assert.Equal(FlatImageWorker.FlatPng(128, 128, 10), await image.Content.ReadAsByteArrayAsync());
        Assert.NotNull(image.Headers.ETag);
        Assert.True(image.Headers.CacheControl!.MaxAge >= TimeSpan.FromHours(1));
    }

    [SkippableFact]
    public async Task Prefer_wait_answers_with_the_finished_job_and_gives_up_in_time()
    {
        var done = await PostAsync(new { prompt = "a fox" }, ("Prefer", "wait=30"));
        Assert.Equal((HttpStatusCode.OK, "succeeded"), (done.Status, done.Job!.State));
        var waiting = await PostAsync(new { prompt = "hold a fox" }, ("Prefer", "wait=1"));
        Assert.Equal(HttpStatusCode.Accepted, waiting.Status);
    }

    [SkippableFact]
    public async Task Events_report_every_change_and_resume_after_the_last_one_seen()
    {
        var (_, job) = await PostAsync(new { prompt = "hold a fox", previews = 3 });
        using var stream = await server.Client.GetStreamAsync($"/v1/generations/{job!.Id}/events");
        var until = await Sse.ReadAllAsync(stream, item => item.Data.GetProperty("state").GetString() == "running");
        Assert.All(until, item => Assert.Equal("update", item.EventType));
        var seen = until[^1].EventId!;
        server.Worker!.Release();

        using var resume = new HttpRequestMessage(HttpMethod.Get,
            $"/v1/generations/{job.Id}/events")
        { Headers = { { "Last-Event-ID", seen } } };
        using var resumed = await server.Client.SendAsync(resume, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", resumed.Content.Headers.ContentType!.MediaType);
        var rest = await Sse.ReadAllAsync(await resumed.Content.ReadAsStreamAsync());
        Assert.All(rest, item => Assert.True(long.Parse(item.EventId!) > long.Parse(seen)));
        Assert.Equal(("end", "succeeded"), (rest[^1].EventType, rest[^1].Data.GetProperty("state").GetString()));

        // Who asks after the end gets the end.
        var late = await Sse.ReadAllAsync(await server.Client.GetStreamAsync($"/v1/generations/{job.Id}/events"));
        Assert.Equal("end", Assert.Single(late).EventType);
    }

    [SkippableFact]
    public async Task Deleting_cancels_what_runs_and_leaves_what_has_ended()
    {
        var (_, running) = await PostAsync(new { prompt = "hold a fox" });
        using var cancelled = await server.Client.DeleteAsync($"/v1/generations/{running!.Id}");
        Assert.Equal("cancelled", (await cancelled.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!.State);

        var (_, done) = await PostAsync(new { prompt = "a fox" }, ("Prefer", "wait=30"));
        using var late = await server.Client.DeleteAsync($"/v1/generations/{done!.Id}");
        Assert.Equal("succeeded", (await late.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!.State);
    }

    [SkippableFact]
    public async Task Ones_own_jobs_are_listed_newest_first_in_pages()
    {
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Insert(0, (await PostAsync(new { prompt = $"fox {i}" }, ("Prefer", "wait=30"))).Job!.Id);
        var listed = new List<string>();
        string? cursor = null;
        do
        {
            var page = (await server.Client.GetFromJsonAsync($"/v1/generations?limit=2{(cursor is null ? "" : $"&cursor={cursor}")}",
                ApiJson.Default.GenerationList))!;
            Assert.True(page.Data.Count <= 2);
            listed.AddRange(page.Data.Select(job => job.Id));
            cursor = page.NextCursor;
        }
        while (cursor is not null);
        Assert.Equal(ids.Order(), listed.Order());
        Assert.Equal(ids[0], listed[0]);
    }

    [SkippableTheory]
    [InlineData("/v1/generations/gen_nothing", 404)]
    [InlineData("/v1/generations/no%20such%7B%7D", 404)]
    [InlineData("/v1/generations?limit=0", 400)]
    [InlineData("/v1/generations?limit=many", 400)]
    [InlineData("/v1/generations?cursor=%7B%7D", 400)]
    [InlineData("/v1/generations/a/b", 404)]
    public async Task Errors_are_problem_details_with_the_requests_id(string path, int status)
    {
        using var response = await server.Client.GetAsync(path);
        Assert.Equal((status, "application/problem+json"), ((int)response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        var problem = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ProblemBody))!;
        Assert.Equal((status, response.Headers.GetValues("x-request-id").Single()), (problem.Status, problem.RequestId));
    }

    [SkippableFact]
    public async Task An_idempotency_key_makes_one_job_of_two_requests_and_refuses_another_request()
    {
        var first = await PostAsync(new { prompt = "a fox" }, ("Idempotency-Key", "k1"));
        var again = await PostAsync(new { prompt = "a fox" }, ("Idempotency-Key", "k1"));
        var other = await PostAsync(new { prompt = "a dog" }, ("Idempotency-Key", "k1"));
        Assert.Equal(first.Job!.Id, again.Job!.Id);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.Status);
    }

    [SkippableFact]
    public async Task A_retry_of_a_request_that_was_never_accepted_does_not_get_the_job_of_an_equal_request_that_was_answered()
    {
        var first = await PostAsync(new { prompt = "a fox" }, ("x-stainless-retry-count", "0"));
        var second = await PostAsync(new { prompt = "a fox" }, ("x-stainless-retry-count", "0"));
        var retry = await PostAsync(new { prompt = "a fox" }, ("x-stainless-retry-count", "1"));
        Assert.Equal(3, new[] { first, second, retry }.Select(answer => answer.Job!.Id).Distinct().Count());
    }

    [SkippableFact]
    public async Task A_retry_gets_the_job_of_the_try_whose_connection_was_lost_and_only_one_retry_gets_it()
    {
        using var lost = new CancellationTokenSource();
        var interrupted = ImageAsync("0", lost.Token);
        await ImagesTests.Until(() => server.Worker!.Seen.Count == 1);
        await lost.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => interrupted);
        // The server has noticed the lost connection.
        var redis = server.Services.GetRequiredService<StackExchange.Redis.IConnectionMultiplexer>().GetServers()[0];
        await ImagesTests.Until(() => redis.Keys(pattern: "*interrupted:*").Any());

        var queue = server.Services.GetRequiredService<Muse.Queue.JobQueue>();
        var retry = ImageAsync("1", default);
        var other = ImageAsync("1", default);
        server.Worker!.Release();
        foreach (var answer in await Task.WhenAll(retry, other))
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var seen = server.Worker.Seen.Select(job => job.Id).ToHashSet();
        Assert.Equal(2, seen.Count);
        Assert.All(await Task.WhenAll(seen.Select(id => queue.FindAsync(id, default))), job =>
            Assert.Equal(Muse.Queue.JobState.Succeeded, job!.State));

        async Task<HttpResponseMessage> ImageAsync(string retryCount, CancellationToken cancellation)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/images/generations")
            {
                Content = JsonContent.Create(new { prompt = "hold this" }),
                Headers = { { "x-stainless-retry-count", retryCount } },
            };
            return await server.Client.SendAsync(request, cancellation);
        }
    }

    [SkippableFact]
    public async Task The_original_Muses_routes_respond_as_before()
    {
        using var predict = await server.Client.PostAsJsonAsync("/api/predict", new { prompt = "a fox", high_quality = true });
        var image = JsonDocument.Parse(await predict.Content.ReadAsStringAsync()).RootElement.GetProperty("image").GetString()!;
        Assert.StartsWith("data:image/png;base64,iVBOR", image);
        Assert.Equal((50, "a fox"), (server.Worker!.Seen.Last().Steps, server.Worker.Seen.Last().Prompt));
        using var surprise = await server.Client.PostAsJsonAsync("/api/predict", new { prompt = "surprise me" });
        Assert.Equal(HttpStatusCode.OK, surprise.StatusCode);
        Assert.NotEqual("surprise me", server.Worker.Seen.Last().Prompt);
        Assert.Equal(25, server.Worker.Seen.Last().Steps);
        using var more = await server.Client.PostAsync("/api/surprise-me", null);
        Assert.Equal(HttpStatusCode.OK, more.StatusCode);
        Assert.Equal("0", await server.Client.GetStringAsync("/num-requests"));
        Assert.Equal("true", await server.Client.GetStringAsync("/api/health"));
        Assert.Equal(3, (await server.Client.GetFromJsonAsync("/system/info", ApiJson.Default.SystemInfo))!.GlobalRequestCount);
    }

    async Task<(HttpStatusCode Status, Generation? Job)> PostAsync(object body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/generations") { Content = JsonContent.Create(body) };
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        using var response = await server.Client.SendAsync(request);
        return (response.StatusCode, response.IsSuccessStatusCode ? await response.Content.ReadFromJsonAsync(ApiJson.Default.Generation)
            : null);
    }
}
