using System.Text;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using StackExchange.Redis;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

public sealed class HostileEntriesTests
{
    const int Count = 10_000;

    [RedisFact]
    public async Task Ten_thousand_hostile_entries_all_end_as_dead_letters_with_a_reason_and_good_work_goes_on()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var (api, worker) = (fixture.Start(), fixture.Start());
        await api.Fleet.MeasureAsync(Limit()); // Makes the streams and the group.
        // They are not written by Muse, and wait longer for a response than its programs do.
        await using var hostile = await ConnectionMultiplexer.ConnectAsync($"{fixture.Redis.ConnectionString},asyncTimeout=30000");
        var random = new Random(20261124);
        var template = Encoding.UTF8.GetString(QueueJson.Write(Job("template")));
        var adding = new List<Task>();
        for (var i = 0; i < Count; i++)
        {
            if (i % 1000 == 500)
            {
                Assert.IsType<SubmitOutcome.Accepted>(await fixture.Start(("MaxLength", "100000")).Jobs.SubmitAsync(Job($"good-{i}"), null,
                    Limit()));
            }

            adding.Add(AddHostileAsync(hostile.GetDatabase(), api.Keys, random, template, i));
            if (adding.Count < 100)
                continue;
            await Task.WhenAll(adding);
            adding.Clear();
        }
        await Task.WhenAll(adding);

        var good = new List<string>();
        await EventuallyAsync(async () =>
        {
            foreach (var item in await worker.Work.ReadAsync(12, Limit()))
            {
                Assert.StartsWith("good-", item.Job.Id, StringComparison.Ordinal);
                good.Add(item.Job.Id);
                Assert.True(await worker.Work.CompleteAsync(item, Finished(), Limit()));
            }
            return await api.Fleet.MeasureAsync(Limit());
        }, measured => measured is { Waiting: 0, Pending: 0 });

        Assert.Equal(10, good.Count);
        var letters = await api.Dead.ListAsync(Count * 2, Limit());
        Assert.Equal(Count, letters.Count);
        Assert.All(letters, letter => Assert.False(string.IsNullOrWhiteSpace(letter.Reason)));
        Assert.True(letters.Select(letter => letter.Reason).Distinct().Count() > 10);
        // Listing, requeueing and looking at what is damaged crashes nothing either.
        foreach (var letter in letters.Take(200))
        {
            await api.Dead.RequeueAsync(letter.Id, Limit());
            if (letter.JobId is { } id)
            {
                try
                { await api.Jobs.FindAsync(id, Limit()); }
                catch (RedisServerException) { } // A key of another type: the API answers 500 to its operator's own vandalism.
            }
        }
    }

    static Task AddHostileAsync(IDatabase redis, QueueKeys keys, Random random, string template, int i)
    {
        var stream = keys.Stream(i % 2 == 0 ? JobPriority.Interactive : JobPriority.Batch);
        var id = $"bad-{i}";
        RedisValue index = 0;
        NameValueEntry[]? entry = null;
        var stored = Task.CompletedTask;
        switch (i % 16)
        {
            case 0:
                entry = [new("nothing", "at all")];
                break;
            case 1:
                entry = [new("job", Noise(random, 200)), new("index", 0)];
                break;
            case 2:
                entry = [new("job", new string('x', 100_000)), new("index", 0)];
                break;
            case 3:
                entry = [new("job", id), new("index", Noise(random, 20))];
                break;
            case 4:
                break; // A job that is not there.
            case 5:
                stored = redis.StringSetAsync(keys.Job(id), "a string");
                break;
            case 6:
                stored = redis.HashSetAsync(keys.Job(id), [new("state", 0), new("0:state", 0), new("job", Noise(random, 300))]);
                break;
            case 7:
                stored = redis.HashSetAsync(keys.Job(id), [new("state", 0), new("0:state", 0)]);
                break;
            case 8:
                Store(template[..random.Next(1, template.Length - 1)]);
                break;
            case 9:
                Store(Mutate(template.Replace("template", id, StringComparison.Ordinal), random));
                break;
            case 10:
                Store(template);
                break; // Says that it is another.
            case 11:
                Store(new string('[', 50_000));
                break;
            case 12:
                Store($$"""{"Id":"{{id}}","Owner":null,"Prompt":null,"Seed":"x","CreatedAt":1}""");
                break;
            case 13:
                stored =
                    redis.HashSetAsync(keys.Job(id),
                    [new("state", 0), new("0:state", 0), new("job", template), new("revision", "no number"), new("left", "none")]);
                break;
            case 14:
                Store(new string('y', QueueJson.MaxJobBytes + 1));
                break;
            case 15:
                index = 9;
                Store(template.Replace("template", id, StringComparison.Ordinal));
                break;
        }
        // In this order on one connection.
        return Task.WhenAll(stored, redis.StreamAddAsync(stream, entry ?? [new("job", id), new("index", index)]));

        void Store(string json) =>
            stored =
            redis.HashSetAsync(keys.Job(id),
            [new("state", 0), new("0:state", 0), new("count", 1), new("left", 1), new("revision", 1), new("job", json)]);
    }

    /// <summary>Breaks what can't be anything but broken: a brace, a quote or a required name.</summary>
    static string Mutate(string json, Random random) => random.Next(4) switch
    {
        0 => json.Replace("{", "", StringComparison.Ordinal),
        1 => json.Replace("\"Prompt\"", "\"Tpmorp\"", StringComparison.Ordinal),
        2 => json.Replace("\":", "\"", StringComparison.Ordinal),
        _ => json + "}",
    };

    static byte[] Noise(Random random, int most)
    {
        var bytes = new byte[random.Next(1, most)];
        random.NextBytes(bytes);
        bytes[0] = 0xFF; // Never by chance a good one.
        return bytes;
    }
}
