using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Muse.Api;
using Muse.Queue;

namespace Muse.Tests.Chaos;

/// <summary>What a client asks for, and what became of it.</summary>
sealed class Wish(string key, string prompt, long seed, int count, bool waits)
{
    public string Key => key;
    public string Prompt => prompt;
    public long Seed => seed;
    public int Count => count;
    /// <summary>Whether it waits on an open connection (the images API), or asks for its job again and again (the jobs API).</summary>
    public bool Waits => waits;
    public string? JobId { get; set; }
    /// <summary>When the client heard that it was accepted.</summary>
    public DateTimeOffset AcceptedAt { get; set; }
    /// <summary>The <see cref="WorkerFleet.Hash"/> of each picture that the client got; null until then.</summary>
    public string[]? Pictures { get; set; }

    /// <summary>The job that it must have become.</summary>
    public ImageJob Job =>
        new() { Id = JobId!, Owner = "", Prompt = prompt, Seed = seed, Count = count, Steps = ChaosClient.Steps, CreatedAt = default };
}

/// <summary>
/// A client of the API that does what it is told: it sends an <c>Idempotency-Key</c>, and comes back after a 503 or a lost connection.
/// </summary>
sealed class ChaosClient(Uri address, TimeProvider time, Action<Wish> accepted) : IDisposable
{
    public const int Steps = 10;
    static readonly TimeSpan ComeBackAfter = TimeSpan.FromMilliseconds(100);

    readonly HttpClient http =
        new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2) })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromMinutes(2)
        };
    int refusals, lostConnections;

    /// <summary>Answers of 503.</summary>
    public int Refusals => refusals;
    /// <summary>Connections that broke or could not be made.</summary>
    public int LostConnections => lostConnections;

    /// <summary>
    /// Has the wish painted. Where a crash has taken its job with it, a client that waits asks anew, and one that went away is left without
    /// pictures.
    /// </summary>
    public async Task PaintAsync(Wish wish)
    {
        if (wish.Waits)
            await WaitAsync(wish);
        else
            await AskAndComeBackAsync(wish);
    }

    async Task WaitAsync(Wish wish)
    {
        while (true)
        {
            using var response = await SendAsync(() => Post("/v1/images/generations", wish));
            if (response.StatusCode == HttpStatusCode.NotFound)
                continue;
            await DemandAsync(wish, response, HttpStatusCode.OK);
            if (await TryReadAsync(response, ApiJson.Default.ImagesResponseBody) is not { } answer)
                continue;
            Accept(wish, answer.Id);
            wish.Pictures = [.. answer.Data.Select(picture => WorkerFleet.Hash(Convert.FromBase64String(picture.B64Json!)))];
            return;
        }
    }

    async Task AskAndComeBackAsync(Wish wish)
    {
        while (wish.JobId is null)
        {
            using var response = await SendAsync(() => Post("/v1/generations", wish));
            if (response.StatusCode == HttpStatusCode.NotFound)
                continue; // Accepted and gone before the answer was written.
            await DemandAsync(wish, response, HttpStatusCode.Accepted, HttpStatusCode.OK);
            if (await TryReadAsync(response, ApiJson.Default.Generation) is { } job)
                Accept(wish, job.Id);
        }
        while (true)
        {
            using var response =
                await SendAsync(() => new(HttpMethod.Get, $"/v1/generations/{wish.JobId}") { Headers = { { "Prefer", "wait=5" } } });
            if (response.StatusCode == HttpStatusCode.NotFound)
                return;
            await DemandAsync(wish, response, HttpStatusCode.OK);
            if (await TryReadAsync(response, ApiJson.Default.Generation) is not { } job || job.State is "queued" or "running")
                continue;
            if (job.State != "succeeded")
                throw new Xunit.Sdk.XunitException($"{wish.JobId} ended as {job.State}: {job.Error?.Message}");
            if (await FetchAsync(wish) is not { } pictures)
                continue;
            wish.Pictures = pictures;
            return;
        }
    }

    async Task<string[]?> FetchAsync(Wish wish)
    {
        var pictures = new List<string>();
        while (pictures.Count < wish.Count)
        {
            using var response = await SendAsync(() => new(HttpMethod.Get, $"/v1/generations/{wish.JobId}/images/{pictures.Count}"));
            if (response.StatusCode == HttpStatusCode.NotFound)
                return null; // Its result went with a crash: it is painted again.
            await DemandAsync(wish, response, HttpStatusCode.OK);
            try
            {
                pictures.Add(WorkerFleet.Hash(await response.Content.ReadAsByteArrayAsync()));
            }
            catch (HttpRequestException) { Interlocked.Increment(ref lostConnections); } // Broke off: once more.
        }
        return [.. pictures];
    }

    static HttpRequestMessage Post(string path, Wish wish) => new(HttpMethod.Post, path)
    {
        Headers = { { "Idempotency-Key", wish.Key } },
        Content = JsonContent.Create(new { prompt = wish.Prompt, seed = wish.Seed, n = wish.Count, steps = Steps }),
    };

    /// <summary>Sends it until somebody answers anything but 503.</summary>
    async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make)
    {
        while (true)
        {
            if (await TrySendAsync(make) is { } response)
                return response;
            await Task.Delay(ComeBackAfter);
        }
    }

    async Task<HttpResponseMessage?> TrySendAsync(Func<HttpRequestMessage> make)
    {
        using var request = make();
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
        catch (Exception problem) when (problem is HttpRequestException or SocketException)
        {
            // A server that is killed just when it has taken the connection: .NET lets the socket's own exception through.
            Interlocked.Increment(ref lostConnections);
            return null;
        }
        if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
            return response;
        Interlocked.Increment(ref refusals);
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero, "A 503 does not say when to come back.");
        response.Dispose();
        return null;
    }

    /// <summary>Asks until it is refused.</summary>
    public async Task DemandRefusalAsync(Wish wish)
    {
        var before = refusals;
        while (refusals == before)
        {
            using var response = await TrySendAsync(() => Post("/v1/generations", wish));
            Assert.True(response is null, $"It was answered {response?.StatusCode} while Redis was away.");
        }
    }

    async Task<T?> TryReadAsync<T>(HttpResponseMessage response,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return await response.Content.ReadFromJsonAsync(type);
        }
        catch (Exception problem) when (problem is HttpRequestException or IOException)
        {
            Interlocked.Increment(ref lostConnections);
            return null; // The answer broke off.
        }
    }

    void Accept(Wish wish, string id)
    {
        (wish.JobId, wish.AcceptedAt) = (id, time.GetUtcNow());
        accepted(wish);
    }

    static async Task DemandAsync(Wish wish, HttpResponseMessage response, params HttpStatusCode[] expected)
    {
        if (!expected.Contains(response.StatusCode))
        {
            throw new Xunit.Sdk.XunitException(
                $"{wish.Key} was answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        }
    }

    public void Dispose() => http.Dispose();
}
