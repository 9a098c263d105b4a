using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Api;

/// <summary>The API and a worker with an object store.</summary>
public sealed class ObjectStoreApiTests(SharedS3Server shared) : IClassFixture<SharedS3Server>, IAsyncLifetime
{
    S3Server store = null!;
    ApiServer server = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable || !S3Server.IsAvailable)
            return;
        store = await shared.GetAsync();
        server = await ApiServer.StartAsync(store: store);
    }

    public async Task DisposeAsync()
    {
        if (server is not null)
            await server.DisposeAsync();
    }

    [S3Fact]
    public async Task Base64_links_streams_and_the_jobs_API_give_the_same_bytes()
    {
        var image = Convert.FromBase64String(await DataAsync("b64_json"));
        Assert.Equal(1, store.Count);
        using var file = await server.Client.GetAsync(await DataAsync("url"));
        Assert.Equal("image/png", file.Content.Headers.ContentType!.MediaType);
        Assert.Equal(image, await file.Content.ReadAsByteArrayAsync());
        using var again = new HttpRequestMessage(HttpMethod.Get, file.RequestMessage!.RequestUri);
        again.Headers.IfNoneMatch.Add(file.Headers.ETag!);
        using var known = await server.Client.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        using var part = new HttpRequestMessage(HttpMethod.Get, file.RequestMessage.RequestUri) { Headers = { Range = new(8, 15) } };
        using var partial = await server.Client.SendAsync(part);
        Assert.Equal(HttpStatusCode.PartialContent, partial.StatusCode);
        Assert.Equal(image[8..16], await partial.Content.ReadAsByteArrayAsync());

        using var streamed = await PostAsync("/v1/images/generations", new { prompt = "a fox", seed = 1, stream = true });
        Assert.Contains(Convert.ToBase64String(image), await streamed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var job = await JobAsync();
        using var direct = await server.Client.GetAsync(job.GetProperty("images")[0].GetProperty("image_url").GetString());
        Assert.Equal(image, await direct.Content.ReadAsByteArrayAsync());
    }

    [S3Fact]
    public async Task The_image_and_the_mask_of_an_edit_reach_the_worker_through_the_store()
    {
        using var response = await PostAsync("/v1/images/edits",
            new { prompt = "a blue star", image = Chaos.EditedImage.ImageUrl, mask = Chaos.EditedImage.MaskUrl, strength = 0.5 });
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var (_, pixels, mask) = server.Worker!.Inputs.Single();
        Assert.Equal(Chaos.EditedImage.Pixels.DecompressImage(128 * 128), pixels);
        Assert.Equal(Chaos.EditedImage.Pixels.DecompressMask(128 * 128), mask);
        Assert.Equal(2, store.Count); // The input and the image.
    }

    [S3Fact]
    public async Task While_the_store_is_away_reads_are_503_and_everything_else_goes_on()
    {
        var link = await DataAsync("url");
        var job = await JobAsync();
        var image = job.GetProperty("images")[0].GetProperty("image_url").GetString();
        await store.KillAsync();
        using var byLink = await server.Client.GetAsync(link);
        await AssertUnavailableAsync(byLink);
        using var byJob = await server.Client.GetAsync(image);
        await AssertUnavailableAsync(byJob);
        using var edit = await PostAsync("/v1/images/edits", new { prompt = "a star", image = Chaos.EditedImage.ImageUrl });
        await AssertUnavailableAsync(edit);
        using var known = await server.Client.GetAsync(new Uri(server.Address, $"/v1/generations/{job.GetProperty("id").GetString()}"));
        Assert.Equal(HttpStatusCode.OK, known.StatusCode);

        // A request without an input is accepted, and its client waits until the store is back.
        var waiting = DataAsync("b64_json");
        await server.Worker!.WaitForStoreAsync();
        await store.LaunchAsync();
        Assert.NotEmpty(await waiting);
        using var back = await server.Client.GetAsync(link);
        Assert.Equal(HttpStatusCode.OK, back.StatusCode);
        Assert.Empty(server.Log.Errors);

        static async Task AssertUnavailableAsync(HttpResponseMessage response)
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
            Assert.Contains("store_unavailable", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [S3Fact]
    public async Task An_image_whose_object_was_deleted_is_404()
    {
        var link = await DataAsync("url");
        var job = await JobAsync();
        store.DeleteAll();
        using var byLink = await server.Client.GetAsync(link);
        using var byJob = await server.Client.GetAsync(job.GetProperty("images")[0].GetProperty("image_url").GetString());
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (byLink.StatusCode, byJob.StatusCode));
    }

    [S3Fact]
    public async Task Links_may_redirect_to_the_store_and_the_jobs_API_does_not()
    {
        await using var redirecting = await ApiServer.StartAsync(redis: server.Redis, withoutWorker: true, store: store,
            settings: new Dictionary<string, string> { ["ObjectStore:RedirectLinks"] = "true" });
        var image = Convert.FromBase64String(await DataAsync("b64_json"));
        var link = new Uri(redirecting.Address, new Uri(await DataAsync("url")).PathAndQuery);
        using var response = await redirecting.Client.GetAsync(link);
        Assert.Equal(HttpStatusCode.Redirect, response.StatusCode);
        Assert.True(response.Headers.CacheControl!.NoStore);
        var address = response.Headers.Location!;
        Assert.Equal((store.Port, $"/{S3Server.Bucket}/"), (address.Port, address.AbsolutePath[..8]));
        using var file = await redirecting.Client.GetAsync(address);
        Assert.Equal("image/png", file.Content.Headers.ContentType!.MediaType);
        Assert.Equal(image, await file.Content.ReadAsByteArrayAsync());
        using var changed = await redirecting.Client.GetAsync(address.AbsoluteUri.Replace("X-Amz-Expires=", "X-Amz-Expires=1"));
        Assert.Equal(HttpStatusCode.Forbidden, changed.StatusCode);

        using var head = await redirecting.Client.SendAsync(new(HttpMethod.Head, link));
        Assert.Equal((HttpStatusCode.OK, image.Length), (head.StatusCode, head.Content.Headers.ContentLength));
        using var forged = await redirecting.Client.GetAsync(link.AbsoluteUri + "x");
        Assert.Equal(HttpStatusCode.NotFound, forged.StatusCode);
        var job = await JobAsync();
        using var direct =
            await redirecting.Client.GetAsync(job.GetProperty("images")[0].GetProperty("image_url").GetString());
        Assert.Equal(HttpStatusCode.OK, direct.StatusCode);
        Assert.Equal(image, await direct.Content.ReadAsByteArrayAsync());
    }

    [S3Fact]
    public async Task An_API_process_sweeps_objects_that_no_job_needs()
    {
        await using var sweeping = await ApiServer.StartAsync(redis: server.Redis, withoutWorker: true, store: store,
            settings: new Dictionary<string, string>
            {
                ["ObjectStore:SweepInterval"] = "00:00:01",
                ["ObjectStore:OrphanAge"] = "00:00:01",
            });
        var link = await DataAsync("url");
        using var edit = await PostAsync("/v1/images/edits", new { prompt = "a star", image = Chaos.EditedImage.ImageUrl });
        Assert.Equal(HttpStatusCode.OK, edit.StatusCode);
        await Samples.EventuallyAsync(() => Task.FromResult(store.Count), count => count == 2); // Without the input.
        using var kept = await server.Client.GetAsync(link);
        Assert.Equal(HttpStatusCode.OK, kept.StatusCode);
    }

    /// <summary>The image of a new request for the same prompt and seed, as Base64 or as a link.</summary>
    async Task<string> DataAsync(string format)
    {
        using var response = await PostAsync("/v1/images/generations", new { prompt = "a fox", seed = 1, response_format = format });
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("data")[0].GetProperty(format).GetString()!;
    }

    /// <summary>A finished job for the same prompt and seed.</summary>
    async Task<JsonElement> JobAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/generations")
        {
            Content = JsonContent.Create(new { prompt = "a fox", seed = 1 }),
            Headers = { { "Prefer", "wait=60" } },
        };
        using var response = await server.Client.SendAsync(request);
        var job = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("succeeded", job.GetProperty("state").GetString());
        return job;
    }

    Task<HttpResponseMessage> PostAsync(string path, object body) => server.Client.PostAsJsonAsync(path, body);
}
