using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Muse.Tests.Api;

/// <summary>Reads server-sent events as a client would.</summary>
static class Sse
{
    public static async Task<List<SseItem<JsonElement>>> ReadAllAsync(Stream stream, Func<SseItem<JsonElement>, bool>? stop = null)
    {
        var items = new List<SseItem<JsonElement>>();
        await foreach (var item in SseParser.Create(stream, (_, data) => JsonSerializer.Deserialize<JsonElement>(data)).EnumerateAsync())
        {
            items.Add(item);
            if (stop?.Invoke(item) == true)
                break;
        }
        return items;
    }
}
