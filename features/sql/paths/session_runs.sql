-- one row per event before :as_of with its session: the session_id, else a run of events without a long gap between two
with gaps as (
    select
        entity_id,
        session_id,
        occurred_at as moment,
        case :by when 'page' then page when 'feature' then feature else event end as node,
        dwell_seconds,
        lag(occurred_at) over (partition by entity_id, session_id order by occurred_at) as before
    from events
)

select
    entity_id,
    session_id,
    moment,
    node,
    dwell_seconds,
    cast(
        sum(
            case
                when session_id is null and before is not null and days_between(before, moment) > :gap_days then 1
                else 0
            end
        ) over (partition by entity_id, session_id order by moment) as int
    ) as run
from gaps
