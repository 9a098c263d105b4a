using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Muse.Api;
using Muse.Queue;

namespace Muse.Tests.Chaos;

/// <summary>A request of a client, and its outcome.</summary>
sealed class ClientRequest(string key, string prompt, long seed, int count, bool waits, bool edits = false)
{
    public string Key => key;
    public string Prompt => prompt;
    public long Seed => seed;
    public int Count => count;
    /// <summary>Whether it waits on an open connection (the images API) or polls its job (the jobs API).</summary>
    public bool Waits => waits;
    /// <summary>Whether it edits <see cref="EditedImage"/>.</summary>
    public bool Edits => edits;
    public string? JobId { get; set; }
    /// <summary>When the client received the acceptance.</summary>
    public DateTimeOffset AcceptedAt { get; set; }
    /// <summary>The <see cref="ExpectedImages.Hash"/> of each image that the client received; null until then.</summary>
    public string[]? ImageHashes { get; set; }

    /// <summary>The job that the request must lead to.</summary>
    public ImageJob Job
    {
        get
        {
            var job = new ImageJob
            {
                Id = JobId!,
                Owner = "",
                Prompt = prompt,
                Seed = seed,
                Count = count,
                Steps = ChaosClient.Steps,
                CreatedAt = default,
            };
            return edits ? job with { Width = EditedImage.Side, Height = EditedImage.Side, Input = EditedImage.Input } : job;
        }
    }
}

/// <summary>
/// A client that follows the API's rules: it sends an <c>Idempotency-Key</c> and retries after a 503 or a lost connection.
/// </summary>
sealed class ChaosClient(Uri address, TimeProvider time, Action<ClientRequest> accepted) : IDisposable
{
    public const int Steps = 10;
    static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    readonly HttpClient http =
        new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(30) })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromMinutes(5)
        };
    int unavailable, lostConnections;

    /// <summary>Responses with status 503.</summary>
    public int Unavailable => unavailable;
    /// <summary>Connections that broke or could not be made.</summary>
    public int LostConnections => lostConnections;

    /// <summary>
    /// Gets the images of a request. If a crash of Redis has lost the job, a client that waits sends it again, and a client that polls gets
    /// none.
    /// </summary>
    public async Task RunAsync(ClientRequest request)
    {
        if (request.Waits)
            await WaitAsync(request);
        else
            await PollAsync(request);
    }

    async Task WaitAsync(ClientRequest request)
    {
        while (true)
        {
            using var response = await SendAsync(() => Post("/v1/images/generations", request));
            if (response.StatusCode == HttpStatusCode.NotFound)
                continue;
            await AssertStatusAsync(request, response, HttpStatusCode.OK);
            if (await TryReadAsync(response, ApiJson.Default.ImagesResponseBody) is not { } answer)
                continue;
            Accept(request, answer.Id);
            request.ImageHashes = [.. answer.Data.Select(image => ExpectedImages.Hash(Convert.FromBase64String(image.B64Json!)))];
            return;
        }
    }

    async Task PollAsync(ClientRequest request)
    {
        while (request.JobId is null)
        {
            using var response = await SendAsync(() => Post("/v1/generations", request));
            if (response.StatusCode == HttpStatusCode.NotFound)
                continue; // Accepted, and lost before the response was written.
            await AssertStatusAsync(request, response, HttpStatusCode.Accepted, HttpStatusCode.OK);
            if (await TryReadAsync(response, ApiJson.Default.Generation) is { } job)
                Accept(request, job.Id);
        }
        while (true)
        {
            using var response =
                await SendAsync(() => new(HttpMethod.Get, $"/v1/generations/{request.JobId}") { Headers = { { "Prefer", "wait=5" } } });
            if (response.StatusCode == HttpStatusCode.NotFound)
                return;
            await AssertStatusAsync(request, response, HttpStatusCode.OK);
            if (await TryReadAsync(response, ApiJson.Default.Generation) is not { } job || job.State is "queued" or "running")
                continue;
            if (job.State != "succeeded")
                throw new Xunit.Sdk.XunitException($"{request.JobId} ended as {job.State}: {job.Error?.Message}");
            if (await FetchAsync(request) is not { } hashes)
                continue;
            request.ImageHashes = hashes;
            return;
        }
    }

    async Task<string[]?> FetchAsync(ClientRequest request)
    {
        var hashes = new List<string>();
        while (hashes.Count < request.Count)
        {
            using var response = await SendAsync(() => new(HttpMethod.Get, $"/v1/generations/{request.JobId}/images/{hashes.Count}"));
            if (response.StatusCode == HttpStatusCode.NotFound)
                return null; // A crash has lost the result: it is generated again.
            await AssertStatusAsync(request, response, HttpStatusCode.OK);
            try
            {
                hashes.Add(ExpectedImages.Hash(await response.Content.ReadAsByteArrayAsync()));
            }
            catch (HttpRequestException) { Interlocked.Increment(ref lostConnections); } // The connection broke: try again.
        }
        return [.. hashes];
    }

    static HttpRequestMessage Post(string path, ClientRequest request) => new(HttpMethod.Post, path)
    {
        Headers = { { "Idempotency-Key", request.Key } },
        Content = JsonContent.Create(new
        {
            prompt = request.Prompt,
            seed = request.Seed,
            n = request.Count,
            steps = Steps,
            image = request.Edits ? EditedImage.ImageUrl : null,
            mask = request.Edits ? EditedImage.MaskUrl : null,
            strength = request.Edits ? EditedImage.Input.Strength : (double?)null,
        }, options: WithoutNulls),
    };

    static readonly JsonSerializerOptions WithoutNulls =
        new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Sends it until the response is anything but 503.</summary>
    async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make)
    {
        while (true)
        {
            if (await TrySendAsync(make) is { } response)
                return response;
            await Task.Delay(RetryAfter);
        }
    }

    async Task<HttpResponseMessage?> TrySendAsync(Func<HttpRequestMessage> make)
    {
        using var message = make();
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        }
        catch (Exception exception) when (exception is HttpRequestException or SocketException)
        {
            // A server that is killed just after it accepted the connection gives a SocketException.
            Interlocked.Increment(ref lostConnections);
            return null;
        }
        if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
            return response;
        Interlocked.Increment(ref unavailable);
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero, "A 503 has no Retry-After.");
        response.Dispose();
        return null;
    }

    /// <summary>Sends the request until the response is 503.</summary>
    public async Task AssertUnavailableAsync(ClientRequest request)
    {
        var before = unavailable;
        while (unavailable == before)
        {
            using var response = await TrySendAsync(() => Post("/v1/generations", request));
            Assert.True(response is null, $"The status was {response?.StatusCode} while Redis was paused.");
        }
    }

    async Task<T?> TryReadAsync<T>(HttpResponseMessage response,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return await response.Content.ReadFromJsonAsync(type);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            Interlocked.Increment(ref lostConnections);
            return null; // The response is incomplete.
        }
    }

    void Accept(ClientRequest request, string id)
    {
        (request.JobId, request.AcceptedAt) = (id, time.GetUtcNow());
        accepted(request);
    }

    static async Task AssertStatusAsync(ClientRequest request, HttpResponseMessage response, params HttpStatusCode[] expected)
    {
        if (!expected.Contains(response.StatusCode))
        {
            throw new Xunit.Sdk.XunitException(
                $"{request.Key} got the status {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        }
    }

    public void Dispose() => http.Dispose();
}
