using Muse.Queue;

namespace Muse.Tests.Queue;

public sealed class GroupCommitTests
{
    readonly Queue<(IReadOnlyList<int> Items, TaskCompletionSource<IReadOnlyList<string>> Answer)> calls = new();
    readonly SemaphoreSlim called = new(0);

    GroupCommit<int, string> Commits(int maxItems) => new(items =>
    {
        var answer = new TaskCompletionSource<IReadOnlyList<string>>();
        lock (calls)
            calls.Enqueue((items, answer));
        called.Release();
        return answer.Task;
    }, maxItems);

    async Task<IReadOnlyList<int>> AnswerNextAsync(Func<int, string> answer)
    {
        Assert.True(await called.WaitAsync(TimeSpan.FromMinutes(4)));
        (IReadOnlyList<int> Items, TaskCompletionSource<IReadOnlyList<string>> Answer) call;
        lock (calls)
            call = calls.Dequeue();
        try
        {
            call.Answer.SetResult([.. call.Items.Select(answer)]);
        }
        catch (InvalidOperationException exception)
        {
            call.Answer.SetException(exception);
        }
        return call.Items;
    }

    [Fact]
    public async Task What_arrives_while_a_call_is_under_way_goes_together_in_the_next()
    {
        var commits = Commits(maxItems: 3);
        var answers = Enumerable.Range(0, 6).Select(commits.AddAsync).ToList();
        Assert.Equal([0], await AnswerNextAsync(i => $"{i}"));
        Assert.Equal([1, 2, 3], await AnswerNextAsync(i => $"{i}"));
        Assert.Equal([4, 5], await AnswerNextAsync(i => $"{i}"));
        Assert.Equal(["0", "1", "2", "3", "4", "5"], await Task.WhenAll(answers));
        var later = commits.AddAsync(6);
        Assert.Equal([6], await AnswerNextAsync(i => $"{i}"));
        Assert.Equal("6", await later);
    }

    [Fact]
    public async Task A_call_that_fails_fails_for_all_that_went_with_it_and_for_no_other()
    {
        var commits = Commits(maxItems: 8);
        var first = commits.AddAsync(0);
        var (second, third) = (commits.AddAsync(1), commits.AddAsync(2));
        await AnswerNextAsync(_ => "completed");
        await AnswerNextAsync(_ => throw new InvalidOperationException("Redis is unavailable."));
        Assert.Equal("completed", await first);
        await Assert.ThrowsAsync<InvalidOperationException>(() => second);
        await Assert.ThrowsAsync<InvalidOperationException>(() => third);
        var after = commits.AddAsync(3);
        await AnswerNextAsync(_ => "back");
        Assert.Equal("back", await after);
    }
}
