-- one row per behaviour, kind of span before :as_of, days with any and days with another behaviour: how many did it
with own as (
    select
        entity_id,
        round,
        behaviour,
        count(case when behaviours = 1 then 1 end) as own_days
    from span_days
    group by entity_id, round, behaviour
),

counted as (
    select
        own.behaviour,
        totals.round,
        totals.alike,
        totals.stayed,
        totals.days,
        cast(totals.days - own.own_days as int) as others
    from own
    inner join span_totals as totals on own.entity_id = totals.entity_id and own.round = totals.round
)

select
    behaviour,
    round,
    alike,
    case when days <= 4 then days when days <= 6 then 5 when days <= 9 then 7 when days <= 14 then 10 else 15 end as band,
    case
        when others <= 4 then others when others <= 6 then 5 when others <= 9 then 7 when others <= 14 then 10
        else 15
    end as other_band,
    stayed,
    count(*) as users
from counted
group by
    behaviour,
    round,
    alike,
    case when days <= 4 then days when days <= 6 then 5 when days <= 9 then 7 when days <= 14 then 10 else 15 end,
    case
        when others <= 4 then others when others <= 6 then 5 when others <= 9 then 7 when others <= 14 then 10
        else 15
    end,
    stayed
